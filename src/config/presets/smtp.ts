/**
 * SMTP: greets, starts TLS where it is told to, and signs in by the first of PLAIN and LOGIN that the server offers. Each
 * reply is awaited by its code first, so that another one fails at once and not when time is up.
 */
import { flag, optional, text } from '../schema-node.ts'
import type { TargetDialog, TargetStep } from '../target-dialog.ts'
import { type Preset, sendBytes } from './preset.ts'

type Options = {
  readonly heloName?: string
  readonly starttls?: boolean
  readonly user?: string
  readonly password?: string
}

const LINE = '[^\\r\\n]*\\r?\\n'
const CREDENTIAL = 'text of 1 to 1024 characters'

export const smtp: Preset = {
  description: 'SMTP servers.',
  options: {
    heloName: optional(
      text('The name given in EHLO; default: localhost.', 'a host name or an address in brackets', {
        pattern: '^[A-Za-z0-9.:_\\[\\]-]{1,255}$',
      }),
    ),
    starttls: optional(flag('Whether to start TLS before anything is said; default: false.')),
    user: optional(text('For AUTH, with `password`.', CREDENTIAL, { minLength: 1, maxLength: 1_024 })),
    password: optional(
      text('For AUTH, with `user`.', CREDENTIAL, { minLength: 1, maxLength: 1_024, secret: true }),
    ),
  },
  needs: [
    ['user', 'password'],
    ['password', 'user'],
  ],
  parts: ({ heloName = 'localhost', starttls = false, user, password }: Options) => {
    const ehlo = { send: `EHLO ${heloName}\r\n` }
    const isKnown = user !== undefined && password !== undefined
    return {
      frame: 'smtp',
      onConnect: [
        ...reply('220'),
        ...(starttls
          ? [ehlo, ...reply('250'), { send: 'STARTTLS\r\n' }, ...reply('220'), { tls: true } as const]
          : []),
        ehlo,
        ...(isKnown ? [...offers(), ...signIn(user, password)] : reply('250')),
      ],
      probe: [{ send: 'NOOP\r\n' }, ...reply('250')],
      onRelease: [{ send: 'RSET\r\n' }, ...reply('250')],
    }
  },
}

/** A reply with this code, of one line or of many. */
function reply(code: string): TargetDialog {
  return [{ expect: code }, { expect: { pattern: `^(?:-${LINE}${code})*(?: [^\\r\\n]*)?\\r?\\n` } }]
}

/**
 * The reply to EHLO, of which it captures the way to sign in. Where none of the two is offered the reply is taken all the
 * same, so that the dialog fails at its next word.
 */
function offers(): TargetDialog {
  const rest = `${LINE}(?:250-${LINE})*250(?: [^\\r\\n]*)?\\r?\\n`
  const way: TargetStep = {
    expect: { pattern: '^(?:(?:[^\\r\\n ]+ )*?(PLAIN|LOGIN)[ \\r]|[^\\r\\n]*\\r)' },
    capture: 'way',
  }
  const [last, inner] = [{ mark: ' ' }, { mark: '-' }]
  return [
    { expect: '250' },
    // Up to the words of the line of AUTH, and whether it is the last; or the whole reply.
    { expect: { pattern: `^(?:(?:-${LINE}250)*?([- ])AUTH[ =]|(?:-${LINE}250)* ${LINE})` }, capture: 'mark' },
    { ...way, when: last },
    { expect: { pattern: `^${LINE}` }, when: last },
    { ...way, when: inner },
    { expect: { pattern: `^${rest}` }, when: inner },
  ]
}

function signIn(user: string, password: string): TargetDialog {
  const [plain, login] = [{ way: 'PLAIN' }, { way: 'LOGIN' }]
  const inBase64 = (text: string): string => Buffer.from(text).toString('base64')
  return [
    { send: 'AUTH {{way}}\r\n' },
    ...reply('334'),
    { ...sendBytes(inBase64(`\0${user}\0${password}`), '\r\n'), when: plain },
    { ...sendBytes(inBase64(user), '\r\n'), when: login },
    ...reply('334').map(step => ({ ...step, when: login })),
    { ...sendBytes(inBase64(password), '\r\n'), when: login },
    ...reply('235'),
  ]
}
