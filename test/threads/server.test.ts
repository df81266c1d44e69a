import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { BroadcastChannel } from 'node:worker_threads'
import { expect, onTestFinished, test, vi } from 'vitest'
import { startServer } from '../../src/library/start-server.ts'
import type { StreamWriter } from '../../src/streams/writing/stream-writer.ts'
import { PatternCheck, pattern } from '../support/pattern-check.ts'
import { openPool } from '../support/pool-fixture.ts'
import { allOf, closed, dial, echoLines, serve } from '../support/server-fixture.ts'
import { until, untilComesTo } from '../support/until.ts'

/** A handler that keeps its clients, and hands them to the test in order. */
function keeper(): {
  handler: (reader: unknown, writer: StreamWriter) => void
  next: () => Promise<StreamWriter>
} {
  const kept: StreamWriter[] = []
  let taken = 0
  return {
    handler: (_reader, writer) => {
      kept.push(writer)
    },
    next: async () => {
      const index = taken++
      await until('a client was served', () => kept.length > index)
      return kept[index] as StreamWriter
    },
  }
}

test('test_start_server: a handler echoes, plain or async', async () => {
  const { server, pool } = await serve(echoLines)
  const { server: plain } = await serve(
    (reader, writer) => {
      void reader.readLine().then(line => {
        writer.write(line)
        writer.close()
      })
    },
    { pool },
  )
  for (const each of [server, plain]) {
    const client = await dial(each)
    client.end('hello\n')
    expect(await allOf(client)).toBe('hello\n')
  }
})

test('test_start_server_1: a server that is not started keeps its clients until it serves', async () => {
  const { server } = await serve(echoLines, { startServing: false })
  expect(server.isServing()).toBe(false)
  expect(server.addresses).toHaveLength(1)
  const client = await dial(server)
  client.end('early\n')
  server.startServing()
  server.startServing()
  expect(server.isServing()).toBe(true)
  expect(await allOf(client)).toBe('early\n')
  const address = server.address
  server.close()
  expect([server.isServing(), server.addresses, server.address]).toEqual([false, [], address])
  await server.waitClosed()
  expect(() => server.startServing()).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST' }))
})

test('test_wait_closed_basic: waitClosed waits for close and for the last client', async () => {
  const { handler, next } = keeper()
  const { server } = await serve(handler)
  const client = await dial(server)
  const writer = await next()
  let isOver = false
  const over = server.waitClosed().then(() => {
    isOver = true
  })
  server.close()
  server.close()
  await expect(dial(server))
    .rejects.toMatchObject({ code: 'ECONNREFUSED' })
    .catch(() => 'or not yet')
  client.write('still here')
  await new Promise(resolve => setImmediate(resolve))
  expect([isOver, server.stats()]).toEqual([false, { clients: 1, isServing: false }])
  writer.close()
  await over
  expect(server.stats().clients).toBe(0)
  await closed(client)
})

test('test_wait_closed_race: a client that ends as the server closes lets waitClosed resolve', async () => {
  const { handler, next } = keeper()
  const { server } = await serve(handler)
  const client = await dial(server)
  const writer = await next()
  writer.close()
  server.close()
  await server.waitClosed()
  await closed(client)
})

test('test_close_clients: what was written still arrives', async () => {
  const { handler, next } = keeper()
  const { server } = await serve(handler)
  const client = await dial(server)
  const writer = await next()
  writer.write('goodbye')
  server.close()
  server.closeClients()
  expect(await allOf(client)).toBe('goodbye')
  await server.waitClosed()
})

test('test_abort_clients: what is not sent yet never is', async () => {
  const { handler, next } = keeper()
  const { server } = await serve(handler)
  const client = await dial(server)
  const writer = await next()
  writer.write(Buffer.alloc(30_000_000))
  server.close()
  server.abortClients()
  await server.waitClosed()
  expect((await buffer(client).catch(() => Buffer.alloc(0))).length).toBeLessThan(30_000_000)
})

test('test_unhandled_exception: a handler that fails is reported and its connection closed, no other', async () => {
  const errors: Error[] = []
  const { server, pool } = await serve(
    async (reader, writer) => {
      const line = (await reader.readLine()).toString()
      if (line === 'fail\n') throw new Error('the handler failed')
      writer.write(line)
      writer.close()
    },
    { onError: error => errors.push(error) },
  )
  const [good, bad] = [await dial(server), await dial(server)]
  bad.write('fail\n')
  await closed(bad)
  good.end('fine\n')
  expect(await allOf(good)).toBe('fine\n')
  expect(errors.map(({ message }) => message)).toEqual(['the handler failed'])
  const { server: plain } = await serve(
    () => {
      throw new Error('so did this one')
    },
    { pool, onError: error => errors.push(error) },
  )
  await closed(await dial(plain))
  expect(errors.at(-1)?.message).toBe('so did this one')
})

test('a handler that fails without onError is a process warning with the error', async () => {
  const warned = new Promise<Error>(resolve => process.once('warning', resolve))
  const { server } = await serve(() => Promise.reject(new Error('nobody looks')))
  await closed(await dial(server))
  expect(await warned).toMatchObject({
    name: 'SockpoolWarning',
    code: 'SOCKPOOL_HANDLER',
    detail: expect.stringContaining('nobody looks'),
  })
})

test('a report that fails is a process warning, and the server goes on', async () => {
  const warned = new Promise<Error>(resolve => process.once('warning', resolve))
  const onError = (): void => {
    throw new Error('the report failed')
  }
  const { server } = await serve(() => Promise.reject(new Error('first')), { onError })
  await closed(await dial(server))
  expect(await warned).toMatchObject({ detail: expect.stringContaining('the report failed') })
  expect(server.isServing()).toBe(true)
})

test('test_unhandled_cancel: a handler that was cancelled closes its connection without a word', async () => {
  const onError = vi.fn()
  const stop = new AbortController()
  const { handler, next } = keeper()
  const { server } = await serve(
    async (reader, writer) => {
      handler(reader, writer)
      await reader.read(1, { signal: stop.signal })
    },
    { onError },
  )
  const client = await dial(server)
  await next()
  stop.abort()
  await closed(client)
  expect(onError).not.toHaveBeenCalled()
})

test('serveForever ends with close and leaves the clients alone', async () => {
  const { handler, next } = keeper()
  const { server } = await serve(handler, { startServing: false })
  const forever = server.serveForever()
  expect(server.isServing()).toBe(true)
  await expect(server.serveForever()).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
  const client = await dial(server)
  const writer = await next()
  server.close()
  await forever
  writer.write('still served')
  writer.close()
  expect(await allOf(client)).toBe('still served')
  await server.waitClosed()
  await expect(server.serveForever()).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
})

test('serveForever that is aborted closes the server and its clients, waits for them, and rejects', async () => {
  const { handler, next } = keeper()
  const { server } = await serve(handler)
  const stop = new AbortController()
  const forever = server.serveForever({ signal: stop.signal })
  const client = await dial(server)
  const writer = await next()
  writer.write('last words')
  stop.abort(new Error('enough'))
  const [text, error] = await Promise.all([allOf(client), forever.catch(reason => reason)])
  expect(text).toBe('last words')
  expect(error).toMatchObject({ code: 'ABORTED', cause: { message: 'enough' } })
  expect([server.isServing(), server.stats().clients]).toEqual([false, 0])
})

test('a disposed server has closed and has no clients', async () => {
  const { handler, next } = keeper()
  const { server } = await serve(handler)
  const client = await dial(server)
  const writer = await next()
  const disposed = server[Symbol.asyncDispose]()
  writer.close()
  await disposed
  expect(server.stats()).toEqual({ clients: 0, isServing: false })
  await closed(client)
})

test('several hosts are bound once each, at one port where it is free', async () => {
  const pool = await openPool()
  const server = await startServer(echoLines, ['127.0.0.1', '127.0.0.2', '127.0.0.1'], 0, { pool })
  expect(server.addresses.map(({ address }) => address)).toEqual(['127.0.0.1', '127.0.0.2'])
  expect(new Set(server.addresses.map(({ port }) => port)).size).toBe(1)
  for (const { address: host, port } of server.addresses) {
    const client = connect({ host, port })
    client.end('both\n')
    expect(await allOf(client)).toBe('both\n')
  }
})

test.each(['', null, undefined])('the host %j is all interfaces', async host => {
  const pool = await openPool()
  const server = await startServer(echoLines, host, 0, { pool })
  expect(server.addresses.map(({ address }) => address)).toContain('0.0.0.0')
  const client = connect({ host: '127.0.0.1', port: server.address.port })
  client.end('any\n')
  expect(await allOf(client)).toBe('any\n')
})

test('an address that this machine does not have is skipped, and none at all is LISTEN_FAILED', async () => {
  const pool = await openPool()
  const server = await startServer(echoLines, ['192.0.2.1', '127.0.0.1'], 0, { pool })
  expect(server.addresses.map(({ address }) => address)).toEqual(['127.0.0.1'])
  await expect(startServer(echoLines, '192.0.2.1', 0, { pool })).rejects.toMatchObject({
    code: 'LISTEN_FAILED',
    message: expect.stringContaining('could not bind on any address out of 192.0.2.1'),
  })
})

test('a port in use is LISTEN_FAILED, and nothing stays bound', async () => {
  const pool = await openPool()
  const taken = await startServer(echoLines, '127.0.0.2', 0, { pool })
  const { port } = taken.address
  await expect(startServer(echoLines, ['127.0.0.1', '127.0.0.2'], port, { pool })).rejects.toMatchObject({
    code: 'LISTEN_FAILED',
    reason: 'EADDRINUSE',
  })
  const free = await startServer(echoLines, '127.0.0.1', port, { pool })
  expect(free.address.port).toBe(port)
})

test.each<[string, () => Promise<unknown>]>([
  ['port', () => startServer(echoLines, '127.0.0.1', 65_536)],
  ['backlog', () => startServer(echoLines, '127.0.0.1', 0, { backlog: 0 })],
  ['maxConnections', () => startServer(echoLines, '127.0.0.1', 0, { maxConnections: 0 })],
  ['handshakeTimeoutMs', () => startServer(echoLines, '127.0.0.1', 0, { handshakeTimeoutMs: 0 })],
  ['host', () => startServer(echoLines, 'a/b', 0)],
  ['path', () => startServer(echoLines, { path: '' })],
  ['handler', () => startServer('no function' as unknown as typeof echoLines, '127.0.0.1', 0)],
  ['tls.key', () => startServer(echoLines, '', 0, { tls: { cert: '-----BEGIN X-----' } as never })],
  ['tls', () => startServer(echoLines, '', 0, { tls: true as never })],
])('a bad %s is INVALID_REQUEST', async (path, start) => {
  await expect(start()).rejects.toMatchObject({ code: 'INVALID_REQUEST', errors: [{ path }] })
})

test('maxConnections disconnects who comes beyond it', async () => {
  const { handler, next } = keeper()
  const { server } = await serve(handler, { maxConnections: 2 })
  const clients = [await dial(server), await dial(server)]
  const writers = [await next(), await next()]
  await closed(await dial(server))
  expect(server.stats().clients).toBe(2)
  writers[0]?.close()
  await closed(clients[0] as Socket)
  await until('the place was free', () => server.stats().clients === 1)
  const third = await dial(server)
  const writer = await next()
  writer.write('room')
  writer.close()
  expect(await allOf(third)).toBe('room')
})

test('300 clients at once are all served', async () => {
  const { server } = await serve(echoLines, { backlog: 512 })
  const clients = await Promise.all(Array.from({ length: 300 }, () => dial(server)))
  const answers = clients.map((client, index) => {
    client.end(`${index}\n`)
    return allOf(client)
  })
  expect(await Promise.all(answers)).toEqual(clients.map((_client, index) => `${index}\n`))
})

test('a client that hangs up before it is served leaves nothing behind', async () => {
  const served = vi.fn()
  const { server } = await serve(served, { startServing: false })
  const client = await dial(server)
  client.resetAndDestroy()
  await once(client, 'close')
  server.startServing()
  const next = await dial(server)
  // The first may be served too, where its reset is seen late.
  const isNext = ([, writer]: unknown[]): boolean =>
    String((writer as StreamWriter).getExtraInfo('peername')) === `127.0.0.1,${next.localPort}`
  await until('the next one was served', () => served.mock.calls.some(isNext))
  server.abortClients()
  await closed(next)
  await until('no client was left', () => server.stats().clients === 0)
})

test('who waits when an unstarted server closes is disconnected', async () => {
  const served = vi.fn()
  const { server } = await serve(served, { startServing: false })
  const client = await dial(server)
  server.close()
  await Promise.all([server.waitClosed(), closed(client)])
  expect(served).not.toHaveBeenCalled()
})

test('16 MiB each way through an accepted connection arrive whole and in order', async () => {
  const total = 16 * 1_048_576
  const { server } = await serve(async (reader, writer) => {
    for await (const chunk of reader.chunks()) {
      writer.write(chunk)
      await writer.drain()
    }
    writer.close()
  })
  const client = await dial(server)
  const check = new PatternCheck()
  client.on('data', (bytes: Buffer) => check.take(bytes))
  for (let sent = 0; sent < total; sent += 262_144)
    if (!client.write(pattern(sent, 262_144))) await once(client, 'drain')
  client.end()
  await once(client, 'end')
  expect(check.received).toBe(total)
})

test('a slow reader of an accepted connection stops its client', async () => {
  const { handler, next } = keeper()
  const { server } = await serve(handler)
  const client = await dial(server)
  const writer = await next()
  let sent = 0
  while (client.write(Buffer.alloc(1_000_000))) sent += 1_000_000
  await until('the client is stopped', () => client.writableLength > 0 && sent < 100_000_000)
  const stuck = client.writableLength
  await new Promise(resolve => setImmediate(resolve))
  expect(client.writableLength).toBe(stuck)
  writer.abort()
  await closed(client)
})

test('the limit of the server is that of its readers', async () => {
  const limits: number[] = []
  const { server } = await serve(
    (reader, writer) => {
      limits.push(reader.limit)
      writer.close()
    },
    { limit: 10 },
  )
  await closed(await dial(server))
  expect(limits).toEqual([10])
})

test('getExtraInfo of an accepted connection names both ends', async () => {
  const { handler, next } = keeper()
  const { server } = await serve(handler)
  const client = await dial(server)
  const writer = await next()
  expect(writer.getExtraInfo('peername')).toEqual(['127.0.0.1', client.localPort])
  expect(writer.getExtraInfo('sockname')).toEqual(['127.0.0.1', server.address.port])
  writer.close()
  await closed(client)
})

test('with reusePort all I/O workers serve one port', async () => {
  const handler = vi.fn()
  const { pool, server } = await serve(handler, { reusePort: true }, { ioWorkers: 2 })
  const busy = async (): Promise<number> => {
    const workers = (await pool.workers()) as unknown as ReadonlyArray<{ readonly connections: number }>
    return workers.filter(({ connections }) => connections > 0).length
  }
  // The system spreads clients by a hash of their ports.
  for (let dialled = 0; dialled < 64; dialled++) await dial(server)
  await until('all were served', () => handler.mock.calls.length === 64)
  expect(await busy()).toBe(2)
  server.abortClients()
})

test('without reusePort another server of the port is refused', async () => {
  const { server, pool } = await serve(echoLines, {}, { ioWorkers: 2 })
  await expect(startServer(echoLines, '127.0.0.1', server.address.port, { pool })).rejects.toMatchObject({
    reason: 'EADDRINUSE',
  })
})

test('a closed pool has closed its servers and their clients', async () => {
  const { handler, next } = keeper()
  const { server, pool } = await serve(handler)
  const client = await dial(server)
  await next()
  await pool.close()
  await server.waitClosed()
  await closed(client)
  await expect(startServer(handler, '127.0.0.1', 0, { pool })).rejects.toMatchObject({ code: 'DRAINING' })
})

test('a pool that drains lets the clients of its servers finish', async () => {
  const { handler, next } = keeper()
  const { server, pool } = await serve(handler)
  const client = await dial(server)
  const writer = await next()
  const closing = pool.close({ drainMs: 10_000 })
  writer.write('in peace')
  writer.close()
  expect(await allOf(client)).toBe('in peace')
  await Promise.all([closing, server.waitClosed()])
})

test('a worker that dies takes its clients along, and its successor listens at the same port', async () => {
  const losses: number[] = []
  const ioWorkerFile = new URL('../fixtures/threads/trapped-io-worker.ts', import.meta.url)
  const { server } = await serve(
    echoLines,
    { onError: () => {} },
    { ioWorkerFile, onEvent: event => void (event.kind === 'worker_lost' && losses.push(event.worker)) },
  )
  const client = await dial(server)
  client.write('before\n')
  await once(client, 'data')
  const trap = new BroadcastChannel('sockpool-trapped-io-worker')
  onTestFinished(() => trap.close())
  const isSet = new Promise(resolve => {
    trap.onmessage = resolve
  })
  trap.postMessage({ worker: 0, do: 'throwAfterRead' })
  await isSet
  client.write('the trap\n')
  await closed(client)
  await until('it was lost', () => losses.length === 1)
  // Who comes to the thread that dies is cut; the successor serves.
  await untilComesTo('after\n', async () => {
    const again = await dial(server)
    again.end('after\n')
    return await allOf(again)
  })
  expect(server.isServing()).toBe(true)
})

test('a port that a server has left can be bound by anybody', async () => {
  const { server } = await serve(echoLines)
  const { port } = server.address
  server.close()
  await server.waitClosed()
  const other = createServer()
  onTestFinished(async () => {
    await new Promise(resolve => other.close(resolve))
  })
  await new Promise<void>((resolve, reject) => {
    other.once('error', reject)
    other.listen(port, '127.0.0.1', resolve)
  })
})
