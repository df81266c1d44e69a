/** Redis and what speaks its protocol: signs in, chooses the database, and is as new after each release (Redis 6.2 on). */
import { count, optional, text } from '../schema-node.ts'
import type { TargetDialog } from '../target-dialog.ts'
import { type Preset, sendBytes } from './preset.ts'

type Options = { readonly password?: string; readonly username?: string; readonly database?: number }

const WORD = 'text of 1 to 1024 characters'

export const redis: Preset = {
  description: 'Redis, Valkey and their like.',
  options: {
    password: optional(text('For AUTH.', WORD, { minLength: 1, maxLength: 1_024, secret: true })),
    username: optional(
      text('For AUTH, with `password`; default: the default user.', WORD, { minLength: 1, maxLength: 1_024 }),
    ),
    database: optional(count('For SELECT; default: 0.', 0, 2_147_483_647)),
  },
  needs: [['username', 'password']],
  parts: options => {
    const ready = signIn(options)
    return {
      frame: 'resp',
      ...(ready.length > 0 && { onConnect: ready }),
      probe: asked(['PING'], '+PONG\r\n'),
      // RESET ends transactions, subscriptions and tracking; it signs out as well, and goes back to database 0.
      onRelease: [...asked(['RESET'], '+RESET\r\n'), ...ready],
    }
  },
}

function signIn({ password, username, database }: Options): TargetDialog {
  const user = username === undefined ? [] : [username]
  return [
    ...(password === undefined ? [] : asked(['AUTH', ...user, password], '+OK\r\n')),
    ...(database === undefined ? [] : asked(['SELECT', String(database)], '+OK\r\n')),
  ]
}

function asked(words: readonly string[], answer: string): TargetDialog {
  const strings = words.map(word => `$${Buffer.byteLength(word)}\r\n${word}\r\n`)
  return [sendBytes(`*${words.length}\r\n`, ...strings), { expect: answer }]
}
