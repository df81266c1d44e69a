/** A lease's stream and its sockets, with a service that the test plays. */
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { LIMITS } from '../../../src/base/limits.ts'
import { RemoteStream } from '../../../src/client/remote-stream.ts'
import { ServiceCaller } from '../../../src/client/service-caller.ts'
import type { Wire, WireEars } from '../../../src/client/wire.ts'
import { StreamReader } from '../../../src/streams/reading/stream-reader.ts'

type Played = {
  readonly path: string
  readonly ears: WireEars
  readonly sent: (string | Uint8Array)[]
  isDropped: boolean
}

function played(): {
  stream: RemoteStream
  reader: StreamReader
  sockets: Played[]
  probe: () => Promise<void>
} {
  const sockets: Played[] = []
  const wire: Wire = {
    hearsPings: true,
    request: () => Promise.reject(new Error('no request is made here')),
    openSocket: (path, ears) => {
      const socket: Played = { path, ears, sent: [], isDropped: false }
      sockets.push(socket)
      return {
        send: data => void socket.sent.push(data),
        close: () => {},
        drop: () => {
          socket.isDropped = true
        },
      }
    },
    close: () => {},
  }
  const probe = vi.fn(async () => {})
  const stream = new RemoteStream({
    caller: new ServiceCaller(wire, { attempts: 3, budgetMs: 10_000 }),
    path: '/v1/leases/a',
    probe,
    onOpen: () => {},
    onFailed: () => {},
    close: async () => {},
    abort: async () => {},
  })
  onTestFinished(() => stream.over({ kind: 'closed' }))
  return { stream, reader: new StreamReader({}, stream.source), sockets, probe }
}

const hello = (readOffset: number, writeOffset = 0): string => JSON.stringify({ readOffset, writeOffset })

describe('a remote stream', () => {
  test('goes on behind what it was sent, and takes no byte twice', async () => {
    const { reader, sockets, stream } = played()
    vi.useFakeTimers()
    onTestFinished(() => void vi.useRealTimers())
    const reading = reader.readExactly(6)
    stream.sink.write(Buffer.from('question'))
    sockets[0]?.ears.text(hello(0))
    sockets[0]?.ears.bytes(Buffer.from('abcd'))
    sockets[0]?.ears.text('{"accepted":3}')
    sockets[0]?.ears.closed(1006, '')
    await vi.advanceTimersByTimeAsync(1_000)
    expect(sockets.map(({ path }) => path)).toEqual(Array(2).fill('/v1/leases/a/stream?ack=true&offset=0'))
    sockets[1]?.ears.text(hello(0, 5))
    sockets[1]?.ears.bytes(Buffer.from('abc'))
    sockets[1]?.ears.bytes(Buffer.from('defg'))
    expect(String(await reading)).toBe('abcdef')
    expect(sockets[1]?.sent.map(String)).toEqual(['ion'])
  })

  test('fails where the service has lost bytes, or sends more than it may', () => {
    const lost = played()
    lost.stream.touch()
    lost.sockets[0]?.ears.text(hello(7))
    expect(lost.reader.exception()).toMatchObject({ code: 'OFFSET_GONE' })
    const flooded = played()
    flooded.stream.touch()
    flooded.sockets[0]?.ears.text(hello(0))
    const bytes = Buffer.alloc(LIMITS.streamWindowBytes)
    for (let sent = 0; sent < 6; sent++) flooded.sockets[0]?.ears.bytes(bytes)
    expect(flooded.reader.exception()).toMatchObject({ code: 'INTERNAL' })
    expect(flooded.sockets[0]?.isDropped).toBe(true)
  })

  test('takes a socket for dead that neither opens, nor speaks, nor pings', async () => {
    vi.useFakeTimers()
    onTestFinished(() => void vi.useRealTimers())
    const { sockets, stream, probe } = played()
    stream.touch()
    await vi.advanceTimersByTimeAsync(LIMITS.serviceConnectMs + 1_000)
    expect([sockets.length, sockets[0]?.isDropped]).toEqual([2, true])
    expect(probe).toHaveBeenCalledTimes(1)
    sockets[1]?.ears.text(hello(0))
    await vi.advanceTimersByTimeAsync(LIMITS.serviceSilenceMs - 1_000)
    sockets[1]?.ears.alive()
    await vi.advanceTimersByTimeAsync(LIMITS.serviceSilenceMs - 1_000)
    expect(sockets).toHaveLength(2)
    await vi.advanceTimersByTimeAsync(3_000)
    expect([sockets.length, sockets[1]?.isDropped]).toEqual([3, true])
  })

  test('passes over what it does not know, as of a later service', () => {
    const { sockets, stream, reader } = played()
    stream.touch()
    for (const text of ['nonsense', '5', 'null', '{"later":1}']) sockets[0]?.ears.text(text)
    expect(stream.isOpen).toBe(false)
    sockets[0]?.ears.text(hello(0))
    for (const text of ['{"accepted":"x"}', '{"eof":1}', '[]']) sockets[0]?.ears.text(text)
    expect([stream.isOpen, reader.atEof()]).toEqual([true, false])
    sockets[0]?.ears.text('{"eof":true,"end":"truncated"}')
    expect([reader.atEof(), reader.ending]).toEqual([true, 'truncated'])
  })
})
