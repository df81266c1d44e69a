/** Streams that a program has lost without closing them. */
import { beforeAll, describe, expect, test } from 'vitest'
import { openConnection } from '../../src/library/open-connection.ts'
import type { StreamReader } from '../../src/streams/reading/stream-reader.ts'
import type { StreamWriter } from '../../src/streams/writing/stream-writer.ts'
import { collected, collectUntil, warningsNamed } from '../support/collect-garbage.ts'
import { setTrap, TRAPPED_IO_WORKER } from '../support/io-worker-trap.ts'
import { dial, serve } from '../support/server-fixture.ts'
import { refusingPort, startTestServer, type TestServer } from '../support/test-server.ts'
import { until } from '../support/until.ts'

const NAME = 'ResourceWarning'

// The one default pool outlives each test; its threads are there before the first looks for what is left behind.
beforeAll(async () => {
  await openConnection('127.0.0.1', await refusingPort()).catch(error => error)
})

/** A server that keeps what it gets. */
async function startSink(): Promise<{ server: TestServer; received: () => string }> {
  let text = ''
  const server = await startTestServer(socket => socket.on('data', bytes => (text += bytes)))
  return { server, received: () => text }
}

/** Opens, and keeps what `keep` makes of the two ends. */
async function open<T>(
  { host, port }: TestServer,
  keep: (reader: StreamReader, writer: StreamWriter) => T,
): Promise<{ readonly kept: T }> {
  const ends = await openConnection(host, port)
  return { kept: keep(...ends) }
}

describe('openConnection', () => {
  test('test_unclosed_resource_warnings: both ends lost, then a warning and a close after what was written', async () => {
    const warnings = warningsNamed(NAME)
    const { server, received } = await startSink()
    await open(server, (_reader, writer) => writer.write('last words'))
    await collectUntil('it was told', () => warnings.length > 0)
    expect(warnings).toEqual([expect.stringMatching(/^unclosed <StreamWriter open \d+ bytes>$/)])
    await until('the connection was closed', () => server.sockets.size === 0)
    expect(received()).toBe('last words')
  })

  test.each<[string, (reader: StreamReader, writer: StreamWriter) => unknown]>([
    ['the reader', reader => reader],
    ['the writer', (_reader, writer) => writer],
    ['a read that waits', reader => reader.readLine().catch(error => error)],
    [
      'an iteration over lines',
      reader =>
        reader[Symbol.asyncIterator]()
          .next()
          .catch(error => error),
    ],
    ['a wait for its end', (_reader, writer) => writer.waitClosed().catch(error => error)],
    [
      'a drain that waits',
      (_reader, writer) => {
        writer.write(Buffer.alloc(20_000_000))
        return writer.drain().catch(error => error)
      },
    ],
    [
      'a send that waits',
      (_reader, writer) => writer.send(Buffer.alloc(20_000_000), { until: 'flushed' }).catch(error => error),
    ],
  ])('leaves a connection alone of which there is still %s', async (_what, keep) => {
    const warnings = warningsNamed(NAME)
    const server = await startTestServer(() => {})
    const { kept } = await open(server, keep)
    await until('it was accepted', () => server.sockets.size === 1)
    await collected()
    expect([warnings, server.sockets.size]).toEqual([[], 1])
    // It broke, so there is nothing to close. What waited hears of it.
    for (const socket of server.sockets) socket.resetAndDestroy()
    await kept
  })

  test('says nothing of a writer that was closed, or whose connection broke', async () => {
    const warnings = warningsNamed(NAME)
    const { server } = await startSink()
    await open(server, (_reader, writer) => writer.close())
    await open(server, (_reader, writer) => writer.abort())
    await until('both were closed', () => server.accepted === 2 && server.sockets.size === 0)
    const { kept } = await open(server, (_reader, writer) => writer.waitClosed().catch(error => error))
    for (const socket of [await server.connection(), await server.connection(), await server.connection()])
      socket.resetAndDestroy()
    expect(await kept).toMatchObject({ code: 'CONNECTION_RESET' })
    await collected()
    expect(warnings).toEqual([])
  })
})

describe('startServer', () => {
  test('test_unclosed_server_resource_warnings: a handler that loses its ends, then a warning and a close', async () => {
    const warnings = warningsNamed(NAME)
    const { server } = await serve((_reader, writer) => writer.write('hello'))
    const client = await dial(server)
    let text = ''
    client.on('data', bytes => (text += bytes))
    await until('the client was served', () => text === 'hello')
    await collectUntil('it was told', () => warnings.length > 0)
    expect(warnings).toEqual([expect.stringMatching(/^unclosed <StreamWriter open \d+ bytes>$/)])
    await until('the client was disconnected', () => client.readableEnded)
    client.destroy()
    await until('it was gone', () => server.stats().clients === 0)
  })

  test('leaves a client alone whose handler goes on with one of the ends', async () => {
    const warnings = warningsNamed(NAME)
    const { server } = await serve(async (reader, writer) => {
      for await (const line of reader) writer.write(line)
      writer.close()
    })
    const client = await dial(server)
    let text = ''
    client.on('data', bytes => (text += bytes))
    client.write('one\n')
    await until('the client was served', () => text === 'one\n')
    await collected()
    client.write('two\n')
    await until('the client was served again', () => text === 'one\ntwo\n')
    client.end()
    await until('it was gone', () => server.stats().clients === 0)
    expect(warnings).toEqual([])
  })

  test('test_loop_is_closed_resource_warnings: the loop that carried it, its I/O worker’s, is gone', async () => {
    const warnings = warningsNamed(NAME)
    let served = 0
    const held: StreamWriter[] = []
    const { server } = await serve(
      (_reader, writer) => {
        served++
        // A second one did close, and is at it.
        if (held.length > 0) {
          writer.write(Buffer.alloc(20_000_000))
          writer.close()
        } else held.push(writer)
      },
      {},
      { ioWorkers: 1, ioWorkerFile: TRAPPED_IO_WORKER },
    )
    const client = await dial(server)
    await until('the client was served', () => served === 1)
    await dial(server)
    await until('the other was served', () => served === 2)
    await setTrap({ worker: 0, do: 'throwAfterRead' })
    client.write('into the trap')
    await until('the worker died', () => server.stats().clients === 0)
    held.length = 0
    await collectUntil('it was told', () => warnings.length > 0)
    expect(warnings).toEqual([
      expect.stringMatching(/^unclosed <StreamWriter closing 0 bytes>: loop is closed$/),
    ])
  })
})
