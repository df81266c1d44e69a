/**
 * NATS: takes the server's INFO, signs in, and knows by PONG that it was let in. Nothing takes subscriptions back at a
 * release, so that the connections are not reused unless the target says so.
 */
import { flag, optional, text } from '../schema-node.ts'
import type { TargetDialog } from '../target-dialog.ts'
import { type Preset, sendBytes } from './preset.ts'

type Options = {
  readonly tls?: boolean
  readonly user?: string
  readonly password?: string
  readonly token?: string
}

const CREDENTIAL = 'text of 1 to 1024 characters'
const PING: TargetDialog = [{ send: 'PING\r\n' }, { expect: 'PONG\r\n' }]

export const nats: Preset = {
  description: 'NATS servers.',
  options: {
    tls: optional(flag('Whether to start TLS after INFO; default: false.')),
    user: optional(text('For CONNECT, with `password`.', CREDENTIAL, { minLength: 1, maxLength: 1_024 })),
    password: optional(
      text('For CONNECT, with `user`.', CREDENTIAL, { minLength: 1, maxLength: 1_024, secret: true }),
    ),
    token: optional(
      text('For CONNECT, in place of a user.', CREDENTIAL, { minLength: 1, maxLength: 1_024, secret: true }),
    ),
  },
  needs: [
    ['user', 'password'],
    ['password', 'user'],
  ],
  parts: ({ tls = false, user, password, token }: Options) => ({
    onConnect: [
      { expect: { prefix: 'INFO ' } },
      ...(tls ? [{ tls: true } as const] : []),
      sendBytes('CONNECT ', connectOptions(tls, { user, pass: password, auth_token: token }), '\r\n'),
      ...PING,
    ],
    probe: PING,
  }),
}

function connectOptions(tls: boolean, credentials: Readonly<Record<string, string | undefined>>): string {
  return JSON.stringify({
    verbose: false,
    pedantic: false,
    tls_required: tls,
    lang: 'sockpool',
    version: '1',
    ...credentials,
  })
}
