/**
 * A duplex or web streams that their program has dropped, with real garbage collection. As in a pool, the connection
 * and what is below the adapter stay; the reader and the writer that it was given are the only ones with the grip.
 */
import { once } from 'node:events'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { LossWatch } from '../../../src/base/loss-watch.ts'
import { SocketDuplex } from '../../../src/streams/adapters/socket-duplex.ts'
import { WebPair } from '../../../src/streams/adapters/web-pair.ts'
import { StreamReader } from '../../../src/streams/reading/stream-reader.ts'
import { StreamWriter } from '../../../src/streams/writing/stream-writer.ts'
import { ChannelPair } from '../../support/channel-pair.ts'
import { collected, collectUntil } from '../../support/collect-garbage.ts'

const TRAITS = {
  localAddress: '127.0.0.1',
  localPort: 40_001,
  remoteAddress: '127.0.0.1',
  remotePort: 6_379,
  tls: null,
}

type Bench = {
  readonly pair: ChannelPair
  /** Those of the pool. */
  readonly reader: StreamReader
  readonly writer: StreamWriter
  /** Those of the program, once. */
  readonly give: () => { readonly reader: StreamReader; readonly writer: StreamWriter }
  readonly isLost: () => boolean
}

function open(): Bench {
  const pair = new ChannelPair({ inboundBytes: 262_144, outboundBytes: 65_536 })
  const reader = new StreamReader({ onReset: 'drain-then-raise' }, pair.source)
  const writer = new StreamWriter(pair.sink, { readerException: () => reader.exception() })
  let isLost = false
  const watch = new LossWatch<string>(() => (isLost = true))
  const give = (): { reader: StreamReader; writer: StreamWriter } => {
    const grip = {}
    watch.watch(grip, 'the lease')
    return { reader: new StreamReader({}, reader, grip), writer: new StreamWriter(writer, {}, grip) }
  }
  // The watch lives as long as the test, or it would be collected with its grips.
  onTestFinished(() => void watch)
  return { pair, reader, writer, give, isLost: () => isLost }
}

const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

/** Runs `use` on an adapter that nothing refers to afterwards but what `use` has kept. */
async function useDuplex(
  { give, pair }: Bench,
  use: (duplex: SocketDuplex, pair: ChannelPair) => unknown,
): Promise<void> {
  const duplex = new SocketDuplex({ ...give(), traits: TRAITS, onDestroyed: () => {} })
  await use(duplex, pair)
}

async function useWeb(
  { give, pair }: Bench,
  use: (web: WebPair, pair: ChannelPair) => unknown,
): Promise<void> {
  const web = new WebPair({ ends: give(), allowHalfOpen: true, onEnded: () => {} })
  await turn()
  await use(web, pair)
}

describe('a dropped SocketDuplex', () => {
  test.each<[string, (duplex: SocketDuplex, pair: ChannelPair) => unknown]>([
    ['that was never used', () => {}],
    ['that has an error listener', duplex => duplex.on('error', () => {})],
    ['that was connected', async duplex => await once(duplex.connect(), 'ready')],
    ['that was written to', duplex => duplex.write('x')],
    ['whose end was written', duplex => duplex.end('x')],
    [
      'that has read once and goes on reading for nobody',
      async (duplex, pair) => {
        const reading = once(duplex, 'data')
        pair.receiveAll('x')
        await reading
      },
    ],
    [
      'that has read by read()',
      async (duplex, pair) => {
        const readable = once(duplex, 'readable')
        pair.receiveAll('x')
        await readable
        duplex.read()
      },
    ],
    ['whose listeners were all removed', duplex => duplex.on('data', () => {}).removeAllListeners()],
    ['that has a timer that nobody listens to', duplex => duplex.setTimeout(3_600_000)],
    [
      'whose timer was withdrawn',
      duplex => {
        const listener = (): void => {}
        duplex.setTimeout(3_600_000, listener).setTimeout(0, listener)
      },
    ],
  ])('%s is collected', async (_what, use) => {
    const bench = open()
    await useDuplex(bench, use)
    await collectUntil('it was lost', bench.isLost)
    expect(bench.pair.channel.shut).not.toBe('close')
  })

  test.each<[string, (duplex: SocketDuplex) => unknown]>([
    ['for data', duplex => duplex.on('data', () => {})],
    ['for data while it is paused', duplex => duplex.on('data', () => {}).pause()],
    ["for 'readable'", duplex => duplex.on('readable', () => {})],
    ['by a pipe', duplex => duplex.pipe(process.stdout, { end: false })],
    [
      'by a loop',
      duplex =>
        void (async () => {
          for await (const chunk of duplex) expect(chunk).toBeDefined()
        })(),
    ],
    ['for its end', duplex => duplex.once('close', () => {})],
    ['for room, as a write waits', duplex => duplex.on('error', () => {}).write(Buffer.alloc(200_000))],
  ])('is kept while somebody waits %s', async (_what, use) => {
    const bench = open()
    await useDuplex(bench, use)
    await turn()
    await collected()
    expect(bench.isLost()).toBe(false)
    // The connection ends, and with it what the program waits for.
    bench.pair.close('closed')
    await collectUntil('it was lost', bench.isLost)
  })
})

describe('a dropped SocketDuplex whose timer somebody listens to', () => {
  test('is kept until that has passed', async () => {
    const bench = open()
    const told: string[] = []
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    await useDuplex(bench, duplex => duplex.setTimeout(1_000, () => told.push('timeout')))
    await collected()
    expect(bench.isLost()).toBe(false)
    vi.advanceTimersByTime(1_000)
    expect(told).toEqual(['timeout'])
    await collectUntil('it was lost', bench.isLost)
  })
})

describe('dropped web streams', () => {
  test.each<[string, (web: WebPair, pair: ChannelPair) => unknown]>([
    ['that were never used', () => {}],
    ['that were locked', web => [web.readable.getReader(), web.writable.getWriter()]],
    [
      'that have written and read',
      async (web, pair) => {
        const writer = web.writable.getWriter()
        await writer.write('x')
        writer.releaseLock()
        const reader = web.readable.getReader()
        const reading = reader.read()
        pair.receiveAll('x')
        await reading
        reader.releaseLock()
      },
    ],
    ['of which one is closed', async web => await web.writable.close()],
    ['of which one is cancelled', async web => await web.readable.cancel()],
    [
      'of which one was cancelled while it read',
      async web => {
        const reader = web.readable.getReader()
        const reading = reader.read()
        await turn()
        await Promise.all([reader.cancel(), reading])
      },
    ],
    ['with bytes unread', (_web, pair) => pair.receiveAll('x')],
  ])('%s are collected', async (_what, use) => {
    const bench = open()
    await useWeb(bench, use)
    await collectUntil('they were lost', bench.isLost)
  })

  test.each<[string, (web: WebPair) => unknown]>([
    ['the readable', web => web.readable],
    ['the writable', web => web.writable],
    ['a reader', web => web.readable.getReader()],
    ['a writer', web => web.writable.getWriter()],
    ['a read that waits', web => web.readable.getReader().read()],
    ['a BYOB read that waits', web => web.readable.getReader({ mode: 'byob' }).read(new Uint8Array(4))],
    ['a pipe that waits', web => web.readable.pipeTo(new WritableStream())],
    [
      'a write that waits',
      web =>
        web.writable
          .getWriter()
          .write(new Uint8Array(200_000))
          .catch(error => error),
    ],
  ])('are kept by %s', async (_what, use) => {
    const bench = open()
    const kept: unknown[] = []
    await useWeb(bench, web => void kept.push(use(web)))
    await turn()
    await collected()
    expect(bench.isLost()).toBe(false)
    expect(kept).toHaveLength(1)
    bench.pair.close('closed')
    kept.length = 0
    await collectUntil('they were lost', bench.isLost)
  })
})
