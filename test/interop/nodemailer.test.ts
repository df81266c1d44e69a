/** `nodemailer`, unchanged, over leased connections to an SMTP server in this process: `getSocket` brings them. */
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { createTransport, type Transporter } from 'nodemailer'
import { SMTPServer } from 'smtp-server'
import { describe, expect, onTestFinished, test } from 'vitest'
import { watchLeaks } from '../support/leak-watch.ts'
import { LARGE_BYTES, type LeasedSockets, leaseSockets, ROUNDS } from '../support/leased-sockets.ts'

type MailServer = {
  readonly port: number
  readonly connections: ReadonlySet<Socket>
  /** Whole messages, as they came. */
  readonly mails: Buffer[]
}

/** `onMail` sees the first bytes of each message. */
async function startMailServer(onMail: (server: MailServer) => void = () => {}): Promise<MailServer> {
  watchLeaks()
  const connections = new Set<Socket>()
  const mails: Buffer[] = []
  const smtp = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS', 'AUTH'],
    onData: (stream, _session, done) => {
      const chunks: Buffer[] = []
      stream.once('data', () => onMail(server))
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('end', () => {
        mails.push(Buffer.concat(chunks))
        done()
      })
    },
  })
  smtp.on('error', () => {})
  smtp.server.on('connection', (socket: Socket) => connections.add(socket))
  smtp.listen(0, '127.0.0.1')
  await once(smtp.server, 'listening')
  onTestFinished(async () => {
    const closed = new Promise<void>(resolve => smtp.close(() => resolve()))
    for (const socket of connections) socket.destroy()
    await closed
  })
  const address = smtp.server.address()
  if (address === null || typeof address === 'string') throw new Error('the mail server has no port')
  const server: MailServer = { port: address.port, connections, mails }
  return server
}

async function open(
  { port }: MailServer,
  options: { readonly pool?: true; readonly maxConnections?: number; readonly maxMessages?: number } = {},
): Promise<{ sockets: LeasedSockets; transport: Transporter }> {
  const sockets = await leaseSockets({ host: '127.0.0.1', port, reuse: 'never' })
  const transport = createTransport({
    ...options,
    host: 'mail.test',
    ignoreTLS: true,
    getSocket: (
      _options: unknown,
      callback: (error: Error | null, socket?: { connection: Socket }) => void,
    ) => {
      sockets.socket().then(
        socket => callback(null, { connection: socket as unknown as Socket }),
        (error: Error) => callback(error),
      )
    },
  })
  onTestFinished(() => transport.close())
  return { sockets, transport }
}

const mail = { from: 'a@mail.test', to: 'b@mail.test' }

describe('nodemailer over leases', () => {
  test('sends 1,000 mails over 4 connections', async () => {
    const server = await startMailServer()
    const { sockets, transport } = await open(server, {
      pool: true,
      maxConnections: 4,
      maxMessages: Number.POSITIVE_INFINITY,
    })
    const subjects = Array.from({ length: ROUNDS }, (_, index) => `mail ${index};`)
    await Promise.all(subjects.map(subject => transport.sendMail({ ...mail, subject, text: 'hello' })))
    const texts = server.mails.map(String)
    const received = texts.map(text => /^Subject: (.*)\r$/m.exec(text)?.[1])
    expect(received.toSorted()).toEqual(subjects.toSorted())
    expect(server.connections.size).toBeLessThanOrEqual(4)
    transport.close()
    await sockets.settled()
  })

  test('sends a mail of 10 MB', async () => {
    const server = await startMailServer()
    const { sockets, transport } = await open(server)
    const content = Buffer.alloc(LARGE_BYTES, 'sockpool ')
    await transport.sendMail({ ...mail, attachments: [{ filename: 'large', content }] })
    const [, encoded = ''] = /Content-Disposition: attachment[\s\S]*?\r\n\r\n([A-Za-z0-9+/=\r\n]+)/.exec(
      String(server.mails[0]),
    ) ?? ['', '']
    expect(Buffer.from(encoded, 'base64').equals(content)).toBe(true)
    transport.close()
    await sockets.settled()
  })

  test('notices that the server broke off in the midst of a mail', async () => {
    const server = await startMailServer(({ connections }) => {
      for (const socket of connections) socket.resetAndDestroy()
    })
    const { sockets, transport } = await open(server)
    const content = Buffer.alloc(LARGE_BYTES, 'sockpool ')
    const failure = await transport.sendMail({ ...mail, attachments: [{ filename: 'large', content }] }).then(
      () => 'sent',
      (error: Error & { code?: string }) => error.code,
    )
    expect(['ESOCKET', 'ECONNECTION', 'ECONNRESET', 'EPIPE']).toContain(failure)
    expect(server.mails).toHaveLength(0)
    transport.close()
    await sockets.settled()
  })
})
