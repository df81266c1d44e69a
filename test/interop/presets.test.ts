/** Each preset with a real server of its protocol: the dialogs on connect, as a probe and at a release. */
import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { ModbusTCPServer } from 'jsmodbus'
import { Server as Hl7Server } from 'node-hl7-server'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'
import { describe, expect, onTestFinished, test } from 'vitest'
import { normaliseTarget } from '../../src/config/target.ts'
import type { TargetInput } from '../../src/config/target-input.ts'
import { dialOf } from '../../src/pool/target/dial-of.ts'
import { IoConnectionRig, type RigLease } from '../support/io-connection-rig.ts'
import { startPostgres } from '../support/own-postgres.ts'
import { startProgramOn } from '../support/own-program.ts'
import { openPool } from '../support/pool-fixture.ts'
import { findService, type Place } from '../support/services.ts'
import { makeFolder } from '../support/temporary-folder.ts'
import { refusingPort } from '../support/test-server.ts'
import { testCertificate } from '../support/tls-certs.ts'

type Skip = (note: string) => never

/** A connection that has passed the dialog of its preset. */
async function connected(place: Place, target: Omit<TargetInput, 'host' | 'port'>): Promise<IoConnectionRig> {
  const dial = dialOf(normaliseTarget({ ...place, ...target }), 'operator', '')
  expect(dial.tls).toBeNull()
  const rig = new IoConnectionRig({ dialogs: dial })
  await rig.dialPlain(place)
  return rig
}

/** Where a server listens until the test ends. */
async function listening(server: Server): Promise<Place> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => new Promise<void>(resolve => server.close(() => resolve())))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  return { host: '127.0.0.1', port: address.port }
}

/** Sends, and reads until the text ends so. */
async function ask(rig: IoConnectionRig, lease: RigLease, sent: string, ends: string): Promise<string> {
  rig.write(lease, sent)
  let text = ''
  while (!text.endsWith(ends)) text += await rig.read(lease, 1)
  return text
}

describe('the preset redis', () => {
  const password = 'pa{{ss}}\r\nwörd'
  const start = (skip: Skip): Promise<Place> =>
    startProgramOn(
      {
        command: 'redis-server',
        from: 'redis-server',
        args: port => ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--requirepass', password],
      },
      skip,
    )

  test('signs in, chooses the database, and is as new after each release', async ({ skip }) => {
    const rig = await connected(await start(skip), { preset: { redis: { password, database: 3 } } })
    expect(await rig.probe()).toBe('clean')
    for (const spoilt of ['SELECT 5\r\n', 'CLIENT SETNAME mine\r\n']) {
      const lease = rig.lease()
      const [, info] = (await ask(rig, lease, 'CLIENT INFO\r\n', '\r\n')).split('$')
      const client = await rig.read(lease, Number.parseInt(info ?? '', 10) + 2)
      expect(client).toMatch(/ name= .* db=3 .* user=default /)
      expect(await ask(rig, lease, spoilt, '\r\n')).toBe('+OK\r\n')
      expect(await rig.release()).toBe('clean')
      expect(await rig.probe()).toBe('clean')
    }
  })

  test('goes through the pool, and reuses what it reset', async ({ skip }) => {
    const place = await start(skip)
    const preset = { redis: { password, username: 'default' } }
    const pool = await openPool({ targets: { cache: { ...place, preset, pool: { max: 1 } } } })
    for (const reused of [false, true]) {
      const lease = await pool.lease('cache')
      expect(lease.reused).toBe(reused)
      lease.writer.write('MULTI\r\n')
      expect(String(await lease.reader.readLine())).toBe('+OK\r\n')
      expect(await lease.release()).toEqual({ outcome: 'reused', reason: 'clean' })
    }
  })

  test('fails with the step that a wrong password fails, and tells none', async ({ skip }) => {
    const place = await start(skip)
    const targets = { cache: { ...place, preset: { redis: { password: 'hunter2' } } } }
    const pool = await openPool({ targets })
    const error = await pool.lease('cache').catch(reason => reason)
    expect(error).toMatchObject({ code: 'DIALOG_FAILED', step: 2, reason: 'unexpected' })
    expect(`${error.message} ${JSON.stringify(error)}`).not.toContain('hunter2')
  })
})

test('the preset memcached probes and reuses', async ({ skip }) => {
  const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : []
  const args = (port: number): string[] => ['-l', '127.0.0.1', '-p', `${port}`, '-U', '0', ...user]
  const place = await startProgramOn({ command: 'memcached', from: 'memcached', args }, skip)
  const rig = await connected(place, { preset: 'memcached' })
  expect(await rig.probe()).toBe('clean')
  const lease = rig.lease()
  expect(await ask(rig, lease, 'set a 0 0 2\r\nhi\r\n', '\r\n')).toBe('STORED\r\n')
  expect(await rig.release()).toBe('clean')
  expect(await rig.probe()).toBe('clean')
})

describe('the preset smtp', () => {
  /** The port, and who signed in by which way. */
  async function startMail(options: SMTPServerOptions): Promise<Place & { readonly seen: string[] }> {
    const seen: string[] = []
    const smtp = new SMTPServer({
      ...(await testCertificate()),
      onAuth: ({ method, username, password }, session, done) => {
        seen.push(`${method} ${username} ${password} ${session.secure ? 'TLS' : 'plain'}`)
        done(null, password === 'wrong' ? undefined : { user: 'it' })
      },
      ...options,
    })
    smtp.on('error', () => {})
    return { ...(await listening(smtp.server)), seen }
  }

  const account = { user: 'me', password: 'pä{{ss}}' }

  test.each(['PLAIN', 'LOGIN'])('signs in over STARTTLS by %s, and resets', async method => {
    const { key, cert } = await testCertificate()
    const { seen, ...place } = await startMail({ key, cert, authMethods: [method] })
    const preset = { smtp: { heloName: 'pool.test', starttls: true, ...account } }
    const rig = await connected(place, { preset, tls: { ca: cert } })
    expect(seen).toEqual([`${method} me pä{{ss}} TLS`])
    expect(await rig.probe()).toBe('clean')
    const lease = rig.lease()
    expect(await ask(rig, lease, 'MAIL FROM:<a@b.test>\r\n', '\r\n')).toMatch(/^250/)
    expect(await rig.release()).toBe('clean')
    expect(await ask(rig, rig.lease(), 'MAIL FROM:<a@b.test>\r\n', '\r\n')).toMatch(/^250/)
  })

  test('signs in by one of several ways, and without TLS where it is told so', async () => {
    const options = {
      authMethods: ['CRAM-MD5', 'LOGIN', 'PLAIN'],
      allowInsecureAuth: true,
      hideSTARTTLS: true,
    }
    const { seen, ...place } = await startMail(options)
    const rig = await connected(place, { preset: { smtp: account } })
    expect(seen).toEqual(['LOGIN me pä{{ss}} plain'])
    expect(await rig.probe()).toBe('clean')
  })

  test('greets alone where it has no account', async () => {
    const { seen, ...place } = await startMail({ authOptional: true })
    const rig = await connected(place, { preset: 'smtp' })
    expect([await rig.probe(), seen]).toEqual(['clean', []])
  })

  test('fails for a wrong password at once, with its step', async () => {
    const place = await startMail({ authMethods: ['PLAIN'], allowInsecureAuth: true })
    const preset = { smtp: { user: 'me', password: 'wrong' } }
    const opening = connected({ host: place.host, port: place.port }, { preset })
    await expect(opening).rejects.toMatchObject({ code: 'DIALOG_FAILED', step: 18, reason: 'unexpected' })
  })

  test.each([
    ['no way at all', { disabledCommands: ['AUTH'] }, 'uncaptured'],
    ['another way alone', { authMethods: ['CRAM-MD5'] }, 'unexpected'],
  ])('fails at once where %s is offered to sign in', async (_what, options, reason) => {
    const { seen: _, ...place } = await startMail({ allowInsecureAuth: true, ...options })
    const opening = connected(place, { preset: { smtp: account } })
    await expect(opening).rejects.toMatchObject({ code: 'DIALOG_FAILED', reason })
  })

  test('takes no certificate that nobody vouches for', async () => {
    const { key, cert } = await testCertificate()
    const { cert: ca } = await testCertificate('elsewhere')
    const place = await startMail({ key, cert, authOptional: true })
    const opening = connected(
      { host: place.host, port: place.port },
      { preset: { smtp: { starttls: true } }, tls: { ca } },
    )
    await expect(opening).rejects.toMatchObject({
      code: 'DIALOG_FAILED',
      step: 9,
      reason: expect.stringMatching(/SIGN|CERT/),
    })
  })
})

describe('the preset nats', () => {
  const start = (skip: Skip, ...more: readonly string[]): Promise<Place> =>
    startProgramOn(
      {
        command: 'nats-server',
        from: 'nats-server',
        args: port => ['-a', '127.0.0.1', '-p', `${port}`, ...more],
      },
      skip,
    )

  test('takes INFO and goes on by PONG', async ({ skip }) => {
    const rig = await connected(await findService('nats', skip), { preset: 'nats' })
    expect(await rig.probe()).toBe('clean')
    const lease = rig.lease()
    expect(await ask(rig, lease, 'SUB a 1\r\nPUB a 2\r\nhi\r\n', 'hi\r\n')).toBe('MSG a 1 2\r\nhi\r\n')
  })

  test('signs in over TLS', async ({ skip }) => {
    const { key, cert } = await testCertificate()
    const folder = await makeFolder({ 'a.pem': { text: cert }, 'a.key': { text: key } })
    const files = ['--tlscert', join(folder, 'a.pem'), '--tlskey', join(folder, 'a.key')]
    const place = await start(skip, '--tls', ...files, '--user', 'me', '--pass', 'pa"ss')
    const tls = { ca: cert }
    const rig = await connected(place, {
      preset: { nats: { tls: true, user: 'me', password: 'pa"ss' } },
      tls,
    })
    expect(await rig.probe()).toBe('clean')
    const wrong = connected(place, { preset: { nats: { tls: true, user: 'me', password: 'no' } }, tls })
    await expect(wrong).rejects.toMatchObject({ code: 'DIALOG_FAILED', step: 5, reason: 'unexpected' })
  })
})

test('the preset postgres-ssl goes on over TLS, where the server speaks it', async ({ skip }) => {
  const { key, cert } = await testCertificate()
  const place = await startPostgres({ key, cert }, skip)
  const rig = await connected(place, { preset: 'postgres-ssl', tls: { ca: cert } })
  const lease = rig.lease()
  const words = Buffer.from('user\0postgres\0\0')
  const startUp = Buffer.concat([Buffer.alloc(8), words])
  startUp.writeUInt32BE(startUp.length, 0)
  startUp.writeUInt32BE(196_608, 4)
  rig.write(lease, startUp)
  // AuthenticationOk, or what else it asks for.
  expect(await rig.read(lease, 1)).toBe('R')
  const plain = await findService('postgres', skip)
  const refused = connected(plain, { preset: 'postgres-ssl' })
  await expect(refused).rejects.toMatchObject({ code: 'DIALOG_FAILED', step: 2, reason: 'unexpected' })
})

test('the preset modbus leaves its server to the lease', async () => {
  const server = createServer()
  const modbus = new ModbusTCPServer(server, { holding: Buffer.from([0, 7, 0, 8]) })
  expect(modbus.holding).toHaveLength(4)
  const place = await listening(server)
  const rig = await connected(place, { preset: 'modbus' })
  const lease = rig.lease()
  rig.write(lease, Buffer.from('000100000006010300000002', 'hex'))
  await rig.read(lease, 9)
  expect(await rig.read(lease, 4)).toBe('\0\x07\0\x08')
  expect(await rig.release()).toBe('clean')
})

test('the preset mllp leaves its server to the lease', async () => {
  const port = await refusingPort()
  const hl7 = new Hl7Server({ bindAddress: '127.0.0.1' })
  const inbound = hl7.createInbound({ port }, (_request, response) => void response.sendResponse('AA'))
  onTestFinished(async () => void (await inbound.close()))
  await once(inbound, 'listen')
  const rig = await connected({ host: '127.0.0.1', port }, { preset: 'mllp' })
  const lease = rig.lease()
  const message = 'MSH|^~\\&|a|b|c|d|20260101000000||ADT^A01|7|D|2.7\r'
  const answer = await ask(rig, lease, `\x0b${message}\x1c\r`, '\x1c\r')
  expect(answer.startsWith('\x0bMSH')).toBe(true)
  expect(answer).toContain('MSA|AA|7')
  expect(await rig.release()).toBe('clean')
})
