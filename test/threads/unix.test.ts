import { existsSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { UNIX_PATH_BYTES_MAX } from '../../src/base/unix-path.ts'
import { startServer, type UnixServerOptions } from '../../src/library/start-server.ts'
import type { Server } from '../../src/pool/server/server.ts'
import { openPool } from '../support/pool-fixture.ts'
import { allOf, dial, echoLines } from '../support/server-fixture.ts'
import { makeFolder } from '../support/temporary-folder.ts'
import { testCertificate } from '../support/tls-certs.ts'

async function serveUnix(
  options: UnixServerOptions = {},
  wanted?: string,
): Promise<{ server: Server; path: string }> {
  const path = wanted ?? (await freePath())
  const pool = options.pool ?? (await openPool())
  return { server: await startServer(echoLines, { path }, { ...options, pool }), path }
}

const freePath = async (): Promise<string> => join(await makeFolder(), 'a.sock')

async function end(server: Server): Promise<void> {
  server.close()
  await server.waitClosed()
}

test('test_start_unix_server: a handler echoes over a unix socket', async () => {
  const { server, path } = await serveUnix()
  expect(server.address).toEqual({ address: path, port: 0, family: 'unix' })
  const client = await dial(server)
  client.end('hello\n')
  expect(await allOf(client)).toBe('hello\n')
})

test('test_start_unix_server_1: a server that is not started keeps its clients until it serves', async () => {
  const { server } = await serveUnix({ startServing: false })
  const client = await dial(server)
  client.end('early\n')
  server.startServing()
  expect(await allOf(client)).toBe('early\n')
})

test('test_open_unix_connection: a lease by path, plain and TLS', async () => {
  const certificate = await testCertificate()
  const pool = await openPool()
  const plain = await serveUnix({ pool })
  const tls = await serveUnix({ pool, tls: certificate })
  for (const [path, how] of [
    [plain.path, undefined],
    [tls.path, { ca: certificate.cert, servername: 'localhost' }],
  ] as const) {
    const lease = await pool.lease({ path, tls: how })
    lease.writer.write('by path\n')
    expect((await lease.reader.readLine()).toString()).toBe('by path\n')
    expect(lease.writer.getExtraInfo('peername')).toEqual([path, 0])
    expect(await lease.release()).toEqual({ outcome: 'closed', reason: 'policy' })
  }
})

test('test_open_unix_connection_error: a path where nobody listens is an error of the dial', async () => {
  const pool = await openPool()
  await expect(pool.lease({ path: await freePath() })).rejects.toMatchObject({
    code: 'CONNECT_FAILED',
    reason: 'ENOENT',
  })
})

test('a unix socket with TLS needs a servername', async () => {
  const pool = await openPool()
  await expect(pool.lease({ path: await freePath(), tls: true })).rejects.toMatchObject({
    code: 'INVALID_REQUEST',
    errors: [{ path: 'tls.servername' }],
  })
})

test('a pool with egress rules dials no unix socket', async () => {
  const { path } = await serveUnix()
  const pool = await openPool({ egress: { allow: ['*', '127.0.0.0/8'] } })
  await expect(pool.lease({ path })).rejects.toMatchObject({ code: 'TARGET_DENIED' })
})

test('a target of the config has no path', async () => {
  await expect(openPool({ targets: { it: { path: '/tmp/x' } as never } })).rejects.toMatchObject({
    code: 'INVALID_REQUEST',
  })
})

test('addr_cleanup, sock_cleanup: the file is gone when the server is', async () => {
  const { server, path } = await serveUnix()
  expect(statSync(path).isSocket()).toBe(true)
  await end(server)
  expect(existsSync(path)).toBe(false)
})

test('cleanup_gone: a file that is gone already is no error', async () => {
  const { server, path } = await serveUnix()
  rmSync(path)
  await end(server)
  expect(existsSync(path)).toBe(false)
})

test('cleanup_replaced: a file that was replaced stays', async () => {
  const { server, path } = await serveUnix()
  rmSync(path)
  const other = createServer()
  await new Promise<void>(resolve => other.listen(path, resolve))
  onTestFinished(async () => {
    await new Promise(resolve => other.close(resolve))
  })
  await end(server)
  expect(existsSync(path)).toBe(true)
})

test('cleanup_prevented: the file stays where cleanup is switched off, and gives way to the next server', async () => {
  const { server, path } = await serveUnix({ cleanupSocket: false })
  await end(server)
  expect(existsSync(path)).toBe(true)
  const next = await serveUnix({}, path)
  const client = connect({ path })
  client.end('again\n')
  expect(await allOf(client)).toBe('again\n')
  await end(next.server)
  expect(existsSync(path)).toBe(false)
})

test('a file that is no socket, and a socket that is served, are in the way', async () => {
  const path = await freePath()
  writeFileSync(path, 'mine')
  await expect(serveUnix({}, path)).rejects.toMatchObject({ code: 'LISTEN_FAILED', reason: 'EADDRINUSE' })
  const served = await serveUnix()
  await expect(serveUnix({}, served.path)).rejects.toMatchObject({ reason: 'EADDRINUSE' })
  const client = await dial(served.server)
  client.end('undisturbed\n')
  expect(await allOf(client)).toBe('undisturbed\n')
})

test.each([
  ['beyond 107 bytes', 'x'.repeat(120), /too long: \d+ bytes, .* at most \d+/],
  ['beyond 107 bytes, of fewer characters', 'é'.repeat(60), /too long: \d+ bytes, .* at most \d+/],
  ['that is an abstract name', '\0abstract', /abstract sockets/],
  ['that is a long abstract name', `\0${'x'.repeat(120)}`, /too long: 121 bytes/],
])('a path %s is refused by servers and dials, with the reason', async (_what, name, reason) => {
  const path = name.startsWith('\0') ? name : join(await makeFolder(), name)
  const refusal = {
    code: 'INVALID_REQUEST',
    errors: [{ path: 'path', message: expect.stringMatching(reason) }],
  }
  const pool = await openPool()
  await expect(startServer(echoLines, { path }, { pool })).rejects.toMatchObject(refusal)
  await expect(pool.lease({ path })).rejects.toMatchObject(refusal)
})

test('a path of the full length is served, however little room its directory leaves', async () => {
  const folder = await makeFolder()
  const fill = (length: number): string => 'd'.repeat(length - Buffer.byteLength(folder) - 1)
  const deep = join(folder, fill(UNIX_PATH_BYTES_MAX - 2))
  mkdirSync(deep)
  for (const path of [join(folder, fill(UNIX_PATH_BYTES_MAX)), join(deep, 's')]) {
    expect(Buffer.byteLength(path)).toBe(UNIX_PATH_BYTES_MAX)
    const { server } = await serveUnix({}, path)
    const client = await dial(server)
    client.end('full length\n')
    expect(await allOf(client)).toBe('full length\n')
  }
})

test('a directory that is not there is LISTEN_FAILED', async () => {
  await expect(serveUnix({}, '/nowhere/at/all/a.sock')).rejects.toMatchObject({ code: 'LISTEN_FAILED' })
})
