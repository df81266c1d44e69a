/** Leases as sockets and as web streams, over real connections. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type RequestListener, request } from 'node:http'
import { connect as connectTls } from 'node:tls'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Lease } from '../../src/pool/lease/lease.ts'
import type { Pool } from '../../src/pool/pool.ts'
import { collected, collectUntil, warningsNamed } from '../support/collect-garbage.ts'
import { watchLeaks } from '../support/leak-watch.ts'
import { LARGE_BYTES } from '../support/leased-sockets.ts'
import { nextEvent } from '../support/next-event.ts'
import { poolCounts } from '../support/open-connections.ts'
import { openPool, targetOf } from '../support/pool-fixture.ts'
import { echo, startTestServer } from '../support/test-server.ts'
import { testCertificate } from '../support/tls-certs.ts'
import { until } from '../support/until.ts'

async function allOf(readable: AsyncIterable<unknown>): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of readable) chunks.push(chunk as Uint8Array)
  return Buffer.concat(chunks)
}

const INDEX = new URL('../../src/library/index.ts', import.meta.url).href

/** Runs `body` with a `duplex` over a lease of a process of its own; how that exited, null when it had to be killed. */
async function exitOf(port: number, body: string): Promise<number | null> {
  const program = `
    import { createPool } from ${JSON.stringify(INDEX)}
    const pool = await createPool({ targets: { it: { host: '127.0.0.1', port: ${port} } } })
    const duplex = (await pool.lease('it')).toDuplex()
    ${body}`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], { stdio: 'inherit' })
  const killer = setTimeout(() => child.kill('SIGKILL'), 20_000)
  const [code] = (await once(child, 'exit')) as [number | null]
  clearTimeout(killer)
  return code
}

describe('Lease.toDuplex', () => {
  test.each([false, true])('carries 10 MB there and back (TLS: %s)', async tls => {
    const server = await startTestServer(echo, { tls })
    const pool = await openPool({ targets: { it: targetOf(server) } })
    const lease = await pool.lease('it')
    const duplex = lease.toDuplex()
    expect(duplex).toMatchObject({
      remotePort: server.port,
      localPort: lease.connection.localPort,
      encrypted: tls ? true : undefined,
      authorized: tls ? true : undefined,
    })
    const sent = Buffer.alloc(LARGE_BYTES, 'sockpool ')
    let count = 0
    const received: Buffer[] = []
    const all = new Promise<void>(resolve =>
      duplex.on('data', (chunk: Buffer) => {
        received.push(chunk)
        count += chunk.length
        if (count === sent.length) resolve()
      }),
    )
    duplex.write(sent)
    await all
    expect(Buffer.concat(received).equals(sent)).toBe(true)
    const closed = nextEvent(duplex, 'close')
    duplex.end()
    expect(await closed).toBe(false)
    expect(await lease.ended).toBe('released')
  })

  test('is the same duplex each time, and no web streams beside it', async () => {
    const server = await startTestServer(echo)
    const pool = await openPool({ targets: { it: targetOf(server) } })
    const lease = await pool.lease('it')
    expect(lease.toDuplex()).toBe(lease.toDuplex())
    expect(() => lease.toWeb()).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST' }))
    await lease.discard()
    expect(() => lease.toDuplex()).toThrow(expect.objectContaining({ code: 'LEASE_GONE' }))
  })

  test('half-closes as a socket: the answer to the end still comes', async () => {
    const server = await startTestServer(
      socket => {
        // Not by a loop over it: in some lines of Node that destroys the socket at its end.
        let count = 0
        socket.on('data', bytes => (count += bytes.length))
        socket.once('end', () => socket.end(`got ${count}`))
      },
      { halfOpen: true },
    )
    const pool = await openPool({ targets: { it: targetOf(server) } })
    const duplex = (await pool.lease('it')).toDuplex()
    duplex.end('hello')
    expect(String(await allOf(duplex))).toBe('got 5')
  })

  test('delivers what was written before destroy()', async () => {
    const server = await startTestServer(() => {})
    const pool = await openPool({ targets: { it: targetOf(server) } })
    const lease = await pool.lease('it')
    const duplex = lease.toDuplex()
    const socket = await server.connection()
    const received = allOf(socket)
    duplex.write('one\n')
    duplex.write('two\n')
    duplex.destroy()
    expect(String(await received)).toBe('one\ntwo\n')
    expect(await lease.ended).toBe('released')
    expect(await lease.release()).toMatchObject({ outcome: 'closed' })
  })

  test("ends with ECONNRESET at the peer's reset, and the lease with it", async () => {
    const server = await startTestServer(() => {})
    const pool = await openPool({ targets: { it: targetOf(server) } })
    const lease = await pool.lease('it')
    const duplex = lease.toDuplex()
    duplex.resume()
    const error = nextEvent(duplex, 'error')
    const closed = nextEvent(duplex, 'close')
    ;(await server.connection()).resetAndDestroy()
    expect(await error).toMatchObject({ code: 'ECONNRESET', cause: { code: 'CONNECTION_RESET' } })
    expect(await closed).toBe(true)
    expect(await lease.ended).toBe('reset')
    await until('its slot was free', () => poolCounts(pool).connections === 0)
  })

  test('fails where the lease is killed under it', async () => {
    const server = await startTestServer(echo)
    const pool = await openPool({ targets: { it: targetOf(server) } })
    const lease = await pool.lease('it')
    const duplex = lease.toDuplex()
    duplex.resume()
    const error = nextEvent(duplex, 'error')
    lease.kill()
    expect(await error).toMatchObject({ code: 'ECONNRESET', cause: { code: 'LEASE_GONE', reason: 'killed' } })
  })

  test('keeps its lease from expiring for as long as it is open', async () => {
    const server = await startTestServer(echo)
    const pool = await openPool({ targets: { it: targetOf(server) } })
    const lease = await pool.lease('it', { ttlMs: 20 })
    const duplex = lease.toDuplex()
    const end = performance.now() + 60
    await until('three ttls had passed', () => performance.now() > end)
    expect(lease.gone).toBeNull()
    duplex.write('still here')
    expect(String((await once(duplex, 'data'))[0])).toBe('still here')
    duplex.destroy()
    expect(await lease.ended).toBe('released')
  })

  test('is let go by release() while it is idle: the connection serves again', async () => {
    const server = await startTestServer(echo)
    const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean' }) } })
    const lease = await pool.lease('it')
    const duplex = lease.toDuplex()
    duplex.on('data', () => {})
    duplex.write('ping')
    await once(duplex, 'data')
    const closed = nextEvent(duplex, 'close')
    expect(await lease.release()).toEqual({ outcome: 'reused', reason: 'clean' })
    expect(await closed).toBe(false)
    expect(duplex.destroyed).toBe(true)
    const next = await pool.lease('it')
    expect(next.reused).toBe(true)
    next.writer.write('pong')
    expect(String(await next.reader.readExactly(4))).toBe('pong')
    await next.release()
  })

  test.each([
    ['unread', 'the peer has said more than was read'],
    ['unanswered', 'a write was not answered'],
  ] as const)('is released as %s where %s', async (reason, _why) => {
    const server = await startTestServer(socket => {
      if (reason === 'unread') echo(socket)
      else socket.resume()
    })
    const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean' }) } })
    const lease = await pool.lease('it')
    const duplex = lease.toDuplex()
    const readable = reason === 'unread' ? once(duplex, 'readable') : null
    duplex.write('ping')
    await readable
    await until('the bytes were sent', () => lease.writer.buffered === 0)
    expect(await lease.release()).toEqual({ outcome: 'closed', reason })
  })

  test('lets the process exit after unref(), and holds it with ref()', async () => {
    const server = await startTestServer(socket => socket.pipe(socket), { tolerant: true })
    expect(await exitOf(server.port, "duplex.on('data', () => duplex.unref()); duplex.write('x')")).toBe(0)
    const held = "duplex.unref().ref(); duplex.on('data', () => process.exit(7)); duplex.write('x')"
    expect(await exitOf(server.port, held)).toBe(7)
  })

  test('serves node:http as its connection', async () => {
    watchLeaks()
    const serve: RequestListener = (incoming, answer) => void incoming.pipe(answer)
    const server = createServer(serve).listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(async () => {
      server.close()
      await once(server, 'close')
    })
    const { port } = server.address() as { port: number }
    const pool = await openPool({ targets: { it: { host: '127.0.0.1', port } } })
    const duplex = (await pool.lease('it')).toDuplex()
    const call = request({ method: 'POST', createConnection: () => duplex })
    call.end('over a lease')
    const [answer] = await once(call, 'response')
    expect(String(await allOf(answer))).toBe('over a lease')
    duplex.destroy()
  })

  test('carries TLS that somebody else speaks over it', async () => {
    const { key, cert } = await testCertificate()
    const server = await startTestServer(echo, { tls: { key, cert } })
    const pool = await openPool({ targets: { it: { host: server.host, port: server.port } } })
    const socket = (await pool.lease('it')).toDuplex()
    const secure = connectTls({ socket, servername: 'localhost', ca: cert })
    await once(secure, 'secureConnect')
    secure.write('secret')
    expect(String((await once(secure, 'data'))[0])).toBe('secret')
    const closed = nextEvent(socket, 'close')
    secure.destroy()
    await closed
  })
})

describe('Lease.toWeb', () => {
  test('carries 10 MB there and back, and ends the lease with both streams', async () => {
    const server = await startTestServer(echo)
    const pool = await openPool({ targets: { it: targetOf(server) } })
    const lease = await pool.lease('it')
    const { readable, writable } = lease.toWeb()
    expect(lease.toWeb().readable).toBe(readable)
    const sent = Buffer.alloc(LARGE_BYTES, 'sockpool ')
    const writer = writable.getWriter()
    const [received] = await Promise.all([
      allOf(readable as AsyncIterable<Uint8Array>),
      writer.write(sent).then(() => writer.close()),
    ])
    expect(received.equals(sent)).toBe(true)
    expect(await lease.ended).toBe('released')
  })

  test('is let go by release() while nobody reads: the connection serves again', async () => {
    const server = await startTestServer(echo)
    const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean' }) } })
    const lease = await pool.lease('it')
    const { readable, writable } = lease.toWeb()
    await writable.getWriter().write('ping')
    const reader = readable.getReader()
    expect((await reader.read()).value).toHaveLength(4)
    expect(await lease.release()).toEqual({ outcome: 'reused', reason: 'clean' })
    expect((await reader.read()).done).toBe(true)
  })

  test('fails both streams where the connection is reset', async () => {
    const server = await startTestServer(() => {})
    const pool = await openPool({ targets: { it: targetOf(server) } })
    const lease = await pool.lease('it')
    const { readable, writable } = lease.toWeb()
    const reading = readable.getReader().read()
    const { closed } = writable.getWriter()
    const outcomes = Promise.allSettled([reading, closed])
    ;(await server.connection()).resetAndDestroy()
    expect(await outcomes).toMatchObject([
      { reason: { code: 'CONNECTION_RESET' } },
      { reason: { code: 'CONNECTION_RESET' } },
    ])
    expect(await lease.ended).toBe('reset')
  })
})

describe('a lease that was handed over and dropped', () => {
  async function dropped(
    use: (lease: Lease) => unknown,
  ): Promise<{ pool: Pool; warnings: readonly string[] }> {
    const warnings = warningsNamed('ResourceWarning')
    const server = await startTestServer(echo)
    const pool = await openPool({ targets: { it: targetOf(server, { pool: { max: 1 } }) } })
    await use(await pool.lease('it'))
    return { pool, warnings }
  }

  test.each<[string, (lease: Lease) => unknown]>([
    ['a duplex', lease => lease.toDuplex().on('error', () => {})],
    [
      'a duplex that has written and read',
      async lease => {
        const duplex = lease.toDuplex()
        duplex.write('ping')
        await once(duplex, 'data')
      },
    ],
    [
      'web streams that have written and read',
      async lease => {
        const { readable, writable } = lease.toWeb()
        await writable.getWriter().write('ping')
        await readable.getReader().read()
      },
    ],
  ])('as %s is discarded with a warning, and its place is free', async (_what, use) => {
    const { pool, warnings } = await dropped(use)
    const waiting = pool.lease('it')
    await collectUntil('it was told', () => warnings.length > 0)
    expect(warnings).toEqual(['unreleased <Lease of it>'])
    await (await waiting).discard()
  })

  test.each<[string, (lease: Lease) => unknown]>([
    [
      'a duplex that somebody listens to',
      lease =>
        void lease
          .toDuplex()
          .on('error', () => {})
          .on('data', () => {}),
    ],
    [
      'web streams of which one is read',
      lease =>
        void lease
          .toWeb()
          .readable.getReader()
          .read()
          .catch(error => error),
    ],
  ])('as %s is left alone', async (_what, use) => {
    const { pool, warnings } = await dropped(use)
    await collected()
    expect(warnings).toEqual([])
    expect(pool.stats().leases).toBe(1)
  })
})
