/**
 * All ways in which a web stream ends, on the two streams of a real lease: after each the lease has ended and its place
 * in the pool is free. The list follows the WHATWG's Streams Standard: what closes, cancels, aborts and errors a
 * readable byte stream and a writable stream, from inside and outside, with and without something under way.
 */
import type { Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { isUint8Array } from 'node:util/types'
import { describe, expect, test } from 'vitest'
import { type WebChunk, WebPair } from '../../src/streams/adapters/web-pair.ts'
import type { StreamReader } from '../../src/streams/reading/stream-reader.ts'
import { poolCounts } from '../support/open-connections.ts'
import { openPool } from '../support/pool-fixture.ts'
import { startTestServer } from '../support/test-server.ts'
import { until } from '../support/until.ts'

type Stage = {
  readonly readable: ReadableStream<Uint8Array>
  readonly writable: WritableStream<WebChunk>
  /** Reads what comes, and ends when it is told to. */
  readonly peer: Socket
  /** The lease's own, below the streams. */
  readonly reader: StreamReader
}

/** Ends one half, or both. */
type Ending = (stage: Stage) => unknown

const MUCH = new Uint8Array(8_000_000)

/** What a rejected promise rejects with; nothing may be left unhandled, and what must fail must do so. */
async function failure(promise: Promise<unknown>): Promise<unknown> {
  const outcome = await promise.then(
    value => ({ value }),
    (error: unknown) => ({ error }),
  )
  if (!('error' in outcome)) throw new Error(`it did not fail but came to ${outcome.value}`)
  return outcome.error
}

const chunk = (value: unknown): WebChunk => value as WebChunk

/** A write that waits, as the peer reads nothing. */
async function blocked({
  writable,
  peer,
}: Stage): Promise<readonly [WritableStreamDefaultWriter, Promise<unknown>]> {
  peer.pause()
  const writer = writable.getWriter()
  const writing = writer.write(MUCH)
  writing.catch(() => 'looked at later')
  await turn()
  return [writer, writing]
}

async function received({ peer, reader }: Stage, text: string): Promise<void> {
  peer.write(text)
  await until('it was received', () => reader.buffered === text.length)
}

/** Those that end the writable in order; the readable goes on. */
const CLOSING: Readonly<Record<string, Ending>> = {
  'close()': ({ writable }) => writable.close(),
  'close() of its writer, after a write': async ({ writable }) => {
    const writer = writable.getWriter()
    await writer.write('x')
    await writer.close()
  },
  'close() while a write waits': async stage => {
    const [writer] = await blocked(stage)
    const closing = writer.close()
    stage.peer.resume()
    await closing
  },
  'close(), and a write too late': async ({ writable }) => {
    const writer = writable.getWriter()
    await writer.close()
    await failure(writer.write('late'))
    await failure(writer.close())
  },
  'close() by another writer than the first': async ({ writable }) => {
    writable.getWriter().releaseLock()
    await writable.getWriter().close()
  },
  'close(), and abort() afterwards': async ({ writable }) => {
    await writable.close()
    await writable.abort()
  },
  'the end of what is piped to it': ({ writable }) => new Blob(['x']).stream().pipeTo(writable),
  'the end of a transform before it': async ({ writable }) => {
    const { readable, writable: front } = new TransformStream<WebChunk, WebChunk>()
    await Promise.all([readable.pipeTo(writable), front.close()])
  },
}

/** Those that fail the writable: the connection is aborted, and the readable fails with it, or is done before. */
const ABORTING: Readonly<Record<string, Ending>> = {
  'abort()': ({ writable }) => writable.abort(),
  'abort(reason) of its writer': ({ writable }) => writable.getWriter().abort(new Error('enough')),
  'abort() while a write waits': async stage => {
    const [writer, writing] = await blocked(stage)
    await writer.abort(new Error('enough'))
    await failure(writing)
  },
  'abort() while a close waits': async stage => {
    const [writer, writing] = await blocked(stage)
    const closing = failure(writer.close())
    await writer.abort()
    await Promise.all([closing, failure(writing)])
  },
  ...Object.fromEntries(
    Object.entries({
      null: null,
      undefined: undefined,
      'a number': 7,
      'an object': {},
      'a size that throws': {
        get byteLength(): number {
          throw new Error('no size')
        },
      },
      'a size that is no number': { byteLength: 'many' },
      'a size that is NaN': { byteLength: Number.NaN },
      'a size below 0': { byteLength: -1 },
      'a size without end': { byteLength: Number.POSITIVE_INFINITY },
      'shared memory': new SharedArrayBuffer(3),
      'a proxy that has been revoked': (() => {
        const { proxy, revoke } = Proxy.revocable({}, {})
        revoke()
        return proxy
      })(),
      'bytes whose size throws': Object.defineProperty(new Uint8Array(3), 'byteLength', {
        get: () => {
          throw new Error('no size')
        },
      }),
    }).map(([what, value]): [string, Ending] => [
      `a chunk that is ${what}`,
      // Bytes are bytes whatever they say of themselves.
      async ({ writable }) => {
        const writer = writable.getWriter()
        const writing = writer.write(chunk(value))
        if (!isUint8Array(value)) return void (await failure(writing))
        await writing
        await writer.abort()
      },
    ]),
  ),
  'a bad chunk behind a good one': async ({ writable }) => {
    const writer = writable.getWriter()
    await Promise.all([
      writer.write('good'),
      failure(writer.write(chunk(null))),
      failure(writer.write('late')),
    ])
  },
  'a bad chunk in a pipe': ({ writable }) =>
    failure(
      new ReadableStream<WebChunk>({
        start: source => {
          source.enqueue('x')
          source.enqueue(chunk(7))
          source.close()
        },
      }).pipeTo(writable),
    ),
  'a pipe whose source fails': ({ writable }) =>
    failure(
      new ReadableStream<WebChunk>({ pull: source => source.error(new Error('broken')) }).pipeTo(writable),
    ),
  'a pipe whose source fails and spares it, then abort()': async ({ writable }) => {
    const source = new ReadableStream<WebChunk>({ pull: controller => controller.error(new Error('broken')) })
    await failure(source.pipeTo(writable, { preventAbort: true }))
    await writable.abort()
  },
  'a pipe that its signal stops': async ({ writable }) => {
    const stop = new AbortController()
    const piping = failure(new ReadableStream<WebChunk>().pipeTo(writable, { signal: stop.signal }))
    await turn()
    stop.abort()
    await piping
  },
  'a transform that throws before it': async ({ writable }) => {
    const { readable, writable: front } = new TransformStream<WebChunk, WebChunk>({
      transform: () => {
        throw new Error('no')
      },
    })
    await Promise.all([failure(readable.pipeTo(writable)), failure(front.getWriter().write('x'))])
  },
}

/** Those that end the readable alone; the writable goes on. */
const READ: Readonly<Record<string, Ending>> = {
  'cancel()': ({ readable }) => readable.cancel(),
  'cancel(reason) of its reader': ({ readable }) => readable.getReader().cancel(new Error('enough')),
  'cancel() while a read waits': async ({ readable }) => {
    const reader = readable.getReader()
    const reading = reader.read()
    await turn()
    await reader.cancel()
    expect(await reading).toEqual({ done: true, value: undefined })
  },
  'cancel() with bytes unread': async stage => {
    await received(stage, 'unread')
    await stage.readable.cancel()
  },
  'cancel() while a BYOB read waits': async ({ readable }) => {
    const reader = readable.getReader({ mode: 'byob' })
    const reading = reader.read(new Uint8Array(4))
    await turn()
    await reader.cancel()
    expect((await reading).done).toBe(true)
  },
  'cancel() by another reader than the first': async ({ readable }) => {
    readable.getReader().releaseLock()
    await readable.cancel()
  },
  'the end of a loop over it': async ({ readable, peer }) => {
    peer.write('x')
    for await (const bytes of readable) if (bytes.length > 0) break
  },
  'an error in a loop over it': async ({ readable, peer }) => {
    peer.write('x')
    const loop = async (): Promise<void> => {
      for await (const bytes of readable) throw new Error(`no ${bytes.length}`)
    }
    await failure(loop())
  },
  'EOF for a read that waits': async ({ readable, peer }) => {
    const reading = readable.getReader().read()
    await turn()
    peer.end()
    expect((await reading).done).toBe(true)
  },
  'EOF after bytes': async ({ readable, peer }) => {
    peer.end('last')
    expect(await new Response(readable).text()).toBe('last')
  },
  'EOF, and nobody reads': ({ peer }) => void peer.end(),
  'EOF behind the last bytes, which nobody asks for': async stage => {
    await received(stage, 'last')
    stage.peer.end()
    // The end is there before the bytes are read.
    for (let turns = 0; turns < 50; turns++) await turn()
    expect((await stage.readable.getReader().read()).value).toHaveLength(4)
  },
  'EOF of a pipe': ({ readable, peer }) => {
    peer.end('x')
    return readable.pipeTo(new WritableStream())
  },
  'EOF of both branches of a tee': async ({ readable, peer }) => {
    const [one, two] = readable.tee()
    peer.end('x')
    expect(await Promise.all([new Response(one).text(), new Response(two).text()])).toEqual(['x', 'x'])
  },
  'cancel() of both branches of a tee': async ({ readable }) => {
    const [one, two] = readable.tee()
    await Promise.all([one.cancel(), two.cancel()])
  },
  'a pipe whose sink fails': async ({ readable, peer }) => {
    peer.write('x')
    const sink = new WritableStream({
      write: () => {
        throw new Error('full')
      },
    })
    await failure(readable.pipeTo(sink))
  },
  'a pipe that its signal stops': async ({ readable }) => {
    const stop = new AbortController()
    const piping = failure(readable.pipeTo(new WritableStream(), { signal: stop.signal }))
    await turn()
    stop.abort()
    await piping
  },
  'EOF of a BYOB read that waits': async ({ readable, peer }) => {
    const reading = readable.getReader({ mode: 'byob' }).read(new Uint8Array(4))
    await turn()
    peer.end()
    expect(await reading).toMatchObject({ done: true, value: { byteLength: 0 } })
  },
  'EOF in the midst of an element of a BYOB read': async ({ readable, peer }) => {
    const reading = failure(readable.getReader({ mode: 'byob' }).read(new Uint16Array(2)))
    await turn()
    peer.end('x')
    expect(await reading).toBeInstanceOf(TypeError)
  },
  'misuse of BYOB, then cancel()': async ({ readable }) => {
    const reader = readable.getReader({ mode: 'byob' })
    const detached = new Uint8Array(4)
    structuredClone(detached.buffer, { transfer: [detached.buffer] })
    await failure(reader.read(new Uint8Array(0)))
    await failure(reader.read(detached))
    await reader.cancel()
  },
  'EOF for a smaller buffer than the read was for': async ({ readable, peer }) => {
    const first = readable.getReader()
    const reading = failure(first.read())
    await turn()
    first.releaseLock()
    await reading
    const reader = readable.getReader({ mode: 'byob' })
    const small = reader.read(new Uint8Array(2))
    peer.end('hello')
    let text = Buffer.from((await small).value ?? []).toString()
    for (;;) {
      const { done, value } = await reader.read(new Uint8Array(2))
      if (done) break
      text += Buffer.from(value).toString()
    }
    expect(text).toBe('hello')
  },
  'EOF after a BYOB reader let go with a read under way': async ({ readable, peer }) => {
    const first = readable.getReader({ mode: 'byob' })
    const reading = failure(first.read(new Uint8Array(2)))
    await turn()
    first.releaseLock()
    await reading
    peer.end('hello')
    const pieces: Uint8Array[] = []
    for await (const piece of readable) pieces.push(piece)
    expect(Buffer.concat(pieces).toString()).toBe('hello')
  },
  'a pull that fails, as the reader is taken': async ({ readable, reader, peer }) => {
    const own = reader.readExactly(1)
    await failure(readable.getReader().read())
    peer.write('x')
    await own
  },
}

/** Those that end both halves, as the connection ends. */
const LOST: Readonly<Record<string, Ending>> = {
  'while nobody reads or writes': ({ peer }) => peer.resetAndDestroy(),
  'while a read waits': async ({ readable, peer }) => {
    const reading = failure(readable.getReader().read())
    await turn()
    peer.resetAndDestroy()
    await reading
  },
  'while a BYOB read waits': async ({ readable, peer }) => {
    const reading = failure(readable.getReader({ mode: 'byob' }).read(new Uint8Array(4)))
    await turn()
    peer.resetAndDestroy()
    await reading
  },
  'while a write waits': async stage => {
    const [, writing] = await blocked(stage)
    stage.peer.resetAndDestroy()
    await failure(writing)
  },
  'while a close waits': async stage => {
    const [writer, writing] = await blocked(stage)
    const closing = failure(writer.close())
    stage.peer.resetAndDestroy()
    await Promise.all([failure(writing), closing])
  },
  'while a pipe runs in both directions': async ({ readable, writable, peer }) => {
    const piping = failure(readable.pipeTo(writable))
    peer.write('x')
    await new Promise(resolve => peer.once('data', resolve))
    peer.resetAndDestroy()
    await piping
  },
  'with bytes unread, which are read afterwards': async stage => {
    await received(stage, 'last')
    stage.peer.resetAndDestroy()
    const reader = stage.readable.getReader()
    await failure(stage.writable.getWriter().closed)
    expect((await reader.read()).value).toHaveLength(4)
    await failure(reader.closed)
  },
  'after the writable was closed': async ({ writable, peer }) => {
    await writable.close()
    peer.resetAndDestroy()
  },
  'after the readable was cancelled': async ({ readable, peer }) => {
    await readable.cancel()
    peer.resetAndDestroy()
  },
}

const cancelled: Ending = ({ readable }) => readable.cancel()
const closed: Ending = ({ writable }) => writable.close()
const nothing: Ending = () => {}

/** Each with what ends the other half. */
const ROWS: [string, Ending, Ending][] = [
  ...Object.entries(CLOSING).map(([what, ending]): [string, Ending, Ending] => [
    `the writable: ${what}`,
    ending,
    cancelled,
  ]),
  ...Object.entries(ABORTING).map(([what, ending]): [string, Ending, Ending] => [
    `the writable: ${what}`,
    ending,
    nothing,
  ]),
  ...Object.entries(READ).map(([what, ending]): [string, Ending, Ending] => [
    `the readable: ${what}`,
    ending,
    closed,
  ]),
  ...Object.entries(LOST).map(([what, ending]): [string, Ending, Ending] => [
    `the connection, ${what}`,
    ending,
    nothing,
  ]),
]

describe('both streams of a lease are done, and told of once, with', () => {
  test.each(ROWS)('%s', async (_what, ending, other) => {
    const server = await startTestServer(socket => void socket.resume(), { halfOpen: true, tolerant: true })
    const { host, port } = server
    const pool = await openPool({ targets: { it: { host, port, pool: { max: 1 } } } })

    const lease = await pool.lease('it')
    const stage = { ...lease.toWeb(), peer: await server.connection(), reader: lease.reader }
    await ending(stage)
    await other(stage)
    await until('the lease ended', () => lease.gone !== null)
    expect(await lease.ended).toMatch(/^(released|reset)$/)
    await until('its place was free', () => pool.stats().leases === 0 && poolCounts(pool).connections === 0)

    // In that place, the streams without a lease that ends with them.
    const { reader, writer } = await pool.lease('it', { waitMs: 1_000 })
    let count = 0
    const onEnded = (): number => count++
    const { readable, writable } = new WebPair({ ends: { reader, writer }, allowHalfOpen: true, onEnded })
    const again = { readable, writable, peer: await server.connection(), reader }
    await ending(again)
    // One half of two is not the end; where the connection is lost, both are.
    if (other !== nothing) expect(count).toBe(0)
    await other(again)
    await until('it was told', () => count > 0)
    for (let turns = 0; turns < 20; turns++) await turn()
    expect(count).toBe(1)
  })
})
