/** A submission server of the npm package smtp-server: it asks for STARTTLS and an account, and keeps what it is sent. */
import { once } from 'node:events'
import { SMTPServer } from 'smtp-server'
import { onTestFinished } from 'vitest'
import type { Place } from './services.ts'
import type { TestCertificate } from './tls-certs.ts'

export type MailServer = Place & {
  /** Whole messages, as they came. */
  readonly mails: string[]
  /** Connections that have signed in. */
  signedIn(): number
}

export async function startMailServer(
  { cert, key }: TestCertificate,
  account: { readonly user: string; readonly password: string },
): Promise<MailServer> {
  const mails: string[] = []
  let signedIn = 0
  const smtp = new SMTPServer({
    cert,
    key,
    authMethods: ['PLAIN'],
    onAuth: ({ username, password }, session, done) => {
      const isKnown = username === account.user && password === account.password && session.secure
      if (isKnown) signedIn++
      done(null, isKnown ? { user: account.user } : undefined)
    },
    onRcptTo: ({ address }, _session, done) =>
      done(address.startsWith('nobody@') ? new Error('No such mailbox') : null),
    onData: (stream, _session, done) => {
      let text = ''
      stream.on('data', (chunk: Buffer) => {
        text += chunk
      })
      stream.on('end', () => {
        mails.push(text)
        done(null, 'Queued')
      })
    },
  })
  smtp.on('error', () => {})
  smtp.listen(0, '127.0.0.1')
  await once(smtp.server, 'listening')
  onTestFinished(() => new Promise<void>(resolve => smtp.close(() => resolve())))
  const address = smtp.server.address()
  if (address === null || typeof address === 'string') throw new Error('the mail server has no port')
  return { host: '127.0.0.1', port: address.port, mails, signedIn: () => signedIn }
}
