/** `start_tls` over HTTP: a lease that begins in plain text and goes on encrypted, or never. */
import { once } from 'node:events'
import { TLSSocket } from 'node:tls'
import { SMTPServer } from 'smtp-server'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Answer, type HeldLease, jsonOf, problemOf } from '../support/api.ts'
import { type Certificate, makeCertificate } from '../support/certificates.ts'
import { useScriptedService } from '../support/scripted-service.ts'
import type { Peer } from '../support/upstream.ts'

const certificate: Certificate = await makeCertificate()
const stranger: Certificate = await makeCertificate()
const RIGHT = { servername: 'localhost', ca: certificate.cert }

const scripted = useScriptedService(place => ({
  config: {
    egress: { allow: ['127.0.0.0/8'] },
    targets: { mail: { ...place, pool: { max: 50 }, reuse: 'clean' } },
  },
}))

/** A lease whose peer has said that TLS may begin. */
async function asked(reply = 'ready\n'): Promise<{ lease: HeldLease; peer: Peer }> {
  const { lease, peer } = await scripted.leased('mail')
  await lease.call('write?drain=true', { body: 'STARTTLS\n' })
  expect((await peer.received(9)).toString()).toBe('STARTTLS\n')
  await peer.send(reply)
  expect((await lease.call('readline')).text).toBe('ready\n')
  return { lease, peer }
}

/** The peer's end, encrypted from here on. */
function secured({ socket }: Peer, options: object = {}): TLSSocket {
  socket.removeAllListeners('data')
  const stream = new TLSSocket(socket, { isServer: true, ...certificate, ...options })
  stream.on('error', () => 'told by the answer')
  return stream
}

const startTls = (lease: HeldLease, json: object): Promise<Answer> => lease.call('start_tls', { json })

/** Resolves when the other side has ended the encrypted stream, or the connection. */
async function over(stream: TLSSocket): Promise<void> {
  stream.resume()
  if (!stream.readableEnded && !stream.closed)
    await Promise.race([once(stream, 'end'), once(stream, 'close')])
}

/** A lease whose upgrade failed with this code reads and writes nothing, and its connection serves no other. */
async function expectDead(lease: HeldLease, code: string): Promise<void> {
  for (const answer of [
    await lease.call('readline'),
    await lease.call('write?drain=true', { body: 'PASSWORD\n' }),
    await startTls(lease, RIGHT),
  ])
    expect(['lease_gone', 'write_closed', code]).toContain(problemOf(answer).code)
  // The end of the connection may be on its way from the I/O worker; it does not wait for the lease's ttl.
  await expect.poll(async () => problemOf(await lease.call('readline')).code).toBe('lease_gone')
  expect(problemOf(await lease.release())).toMatchObject({ status: 410, code: 'lease_gone' })
}

describe('POST start_tls', () => {
  test('encrypts the lease, and its connection serves no other', async () => {
    const { lease, peer } = await asked()
    const stream = secured(peer, { ALPNProtocols: ['mail'] })
    stream.on('data', (bytes: Buffer) => stream.write(bytes.toString().toUpperCase()))
    const answer = await startTls(lease, { ...RIGHT, alpn: ['mail'], minVersion: 'TLSv1.3' })
    const tls = {
      protocol: 'TLSv1.3',
      cipher: stream.getCipher().name,
      alpnProtocol: 'mail',
      authorized: true,
      servername: 'localhost',
    }
    expect([answer.status, jsonOf(answer)]).toEqual([200, { tls }])
    expect(jsonOf(await lease.look())).toMatchObject({ connection: { tls }, lastOperation: 'start_tls' })
    await lease.call('write?drain=true', { body: 'secret\n' })
    const line = await lease.call('readline')
    // The offsets count the bytes of the stream, whatever carried them.
    expect([line.text, line.headers.get('sockpool-offset')]).toEqual(['SECRET\n', '6'])
    expect(jsonOf(await lease.release())).toEqual({ outcome: 'closed', reason: 'upgraded' })
    await over(stream)
    const next = await scripted.leased('mail')
    expect(next.lease.view).toMatchObject({ reused: false, connection: { tls: null } })
  })

  test('without a body trusts the platform’s authorities, who have never heard of this one', async () => {
    const { lease, peer } = await asked()
    secured(peer)
    const problem = problemOf(await lease.call('start_tls'))
    expect(problem).toMatchObject({
      status: 502,
      code: 'tls_failed',
      reason: expect.stringMatching(/SELF_SIGNED/),
    })
  })

  test.each([
    ['another authority', { servername: 'localhost', ca: stranger.cert }, /SELF_SIGNED|UNABLE|DEPTH_ZERO/],
    ['another name', { ...RIGHT, servername: 'elsewhere.test' }, /ALTNAME/],
  ])(
    'of a peer with a certificate of %s is tls_failed, and nothing of the lease goes on',
    async (_what, tls, reason) => {
      const { lease, peer } = await asked()
      const stream = secured(peer)
      const problem = problemOf(await startTls(lease, tls))
      expect(problem).toMatchObject({
        status: 502,
        code: 'tls_failed',
        retryable: false,
        reason: expect.stringMatching(reason),
      })
      await over(stream)
      await expectDead(lease, 'tls_failed')
    },
  )

  test('of a peer that does not speak TLS is tls_failed, and nothing follows in plain text', async () => {
    const { lease, peer } = await asked()
    const starting = startTls(lease, RIGHT)
    await peer.received(10)
    await peer.send('500 what is this?\n')
    expect(problemOf(await starting)).toMatchObject({ status: 502, code: 'tls_failed' })
    await expectDead(lease, 'tls_failed')
    await peer.ended()
    expect((await peer.received(10)).toString('latin1')).not.toContain('PASSWORD')
  })

  test('refuses plain text that came before the handshake, and nothing of the lease goes on', async () => {
    const { lease, peer } = await asked('ready\n250 injected\n')
    const problem = problemOf(await startTls(lease, RIGHT))
    expect(problem).toMatchObject({ status: 502, code: 'starttls_injection', retryable: false })
    await peer.ended()
    await expectDead(lease, 'starttls_injection')
  })

  test('has a time in which the handshake must be over', async () => {
    const { lease, peer } = await asked()
    const answer = await lease.call('start_tls?timeoutMs=50', { json: RIGHT })
    expect(problemOf(answer)).toMatchObject({ status: 504, code: 'connect_timeout' })
    await peer.ended()
    await expectDead(lease, 'connect_timeout')
  })

  test.each([
    ['an option that there is not', { rejectUnauthorized: false }, 'rejectUnauthorized'],
    ['a path', { ca: '/etc/ssl/certs/ca.pem' }, 'ca'],
    ['another old version', { minVersion: 'TLSv1.1' }, 'minVersion'],
    ['a name that is none', { servername: 'a b' }, 'servername'],
    ['a protocol too long', { alpn: ['x'.repeat(256)] }, 'alpn'],
  ])('with %s is refused, with its path, and the lease goes on in plain text', async (_what, tls, path) => {
    const { lease, peer } = await asked()
    const problem = problemOf(await startTls(lease, tls))
    const errors = [{ path: expect.stringContaining(path), message: expect.stringMatching(/./) }]
    expect(problem).toMatchObject({ status: 400, code: 'invalid_request', errors })
    await peer.send('still plain\n')
    expect((await lease.call('readline')).text).toBe('still plain\n')
    expect(jsonOf(await lease.look())).toMatchObject({ connection: { tls: null } })
  })

  test('is refused while a read waits, on a lease that speaks TLS already, and on one that is over', async () => {
    const { lease, peer } = await asked()
    const reading = lease.call('readline')
    await lease.begun('readline')
    expect(problemOf(await startTls(lease, RIGHT))).toMatchObject({ status: 409, code: 'read_busy' })
    await peer.send('go\n')
    expect((await reading).text).toBe('go\n')
    const stream = secured(peer)
    stream.on('data', (bytes: Buffer) => stream.write(bytes))
    expect((await startTls(lease, RIGHT)).status).toBe(200)
    expect(problemOf(await startTls(lease, RIGHT))).toMatchObject({ status: 400, code: 'invalid_request' })
    await lease.call('write', { body: 'still here\n' })
    expect((await lease.call('readline')).text).toBe('still here\n')
    await lease.release()
    expect(problemOf(await startTls(lease, RIGHT))).toMatchObject({ status: 410, code: 'lease_gone' })
  })
})

describe('a lease of an SMTP server', () => {
  const mails: string[] = []
  const smtp = new SMTPServer({
    ...certificate,
    name: 'mail.test',
    authOptional: true,
    onData: (stream, session, done) => {
      let text = ''
      stream.on('data', (bytes: Buffer) => (text += bytes))
      stream.on('end', () => {
        mails.push(`${session.secure} ${text}`)
        done()
      })
    },
  })

  beforeAll(async () => {
    smtp.listen(0, '127.0.0.1')
    await once(smtp.server, 'listening')
  })
  afterAll(() => new Promise<void>(resolve => smtp.close(() => resolve())))

  test('is upgraded by STARTTLS, and a mail goes through', async () => {
    const { port } = smtp.server.address() as { port: number }
    const lease = await scripted.api.lease({ host: '127.0.0.1', port })
    /** The last line of the reply to what is said. */
    const say = async (line: string): Promise<string> => {
      if (line !== '') await lease.call('write', { body: `${line}\r\n` })
      for (;;) {
        const { text } = await lease.call('readuntil?separator=%0d%0a')
        if (text[3] !== '-') return text
      }
    }
    expect(await say('')).toMatch(/^220 mail\.test /)
    expect(await say('EHLO sockpool.test')).toMatch(/^250 /)
    expect(await say('STARTTLS')).toMatch(/^220 /)
    const answer = await startTls(lease, RIGHT)
    expect(jsonOf(answer)).toMatchObject({ tls: { authorized: true, servername: 'localhost' } })
    expect(await say('EHLO sockpool.test')).toMatch(/^250 /)
    expect(await say('MAIL FROM:<a@mail.test>')).toMatch(/^250 /)
    expect(await say('RCPT TO:<b@mail.test>')).toMatch(/^250 /)
    expect(await say('DATA')).toMatch(/^354 /)
    expect(await say('Subject: hello\r\n\r\nencrypted\r\n.')).toMatch(/^250 /)
    expect(await say('QUIT')).toMatch(/^221 /)
    expect(mails).toEqual(['true Subject: hello\r\n\r\nencrypted\r\n'])
    expect(jsonOf(await lease.release())).toEqual({ outcome: 'closed', reason: 'upgraded' })
  })
})
