/** What readers are made with, what they look like, and what their errors keep on the way to another thread. */
import { inspect } from 'node:util'
import { expect } from 'vitest'
import {
  IncompleteReadError,
  LimitOverrunError,
  reviveError,
  type SockpoolError,
} from '../../../src/base/errors.ts'
import { StreamReader } from '../../../src/streams/reading/stream-reader.ts'
import { rejected, testCase } from '../links.ts'
import { recordingTransport } from '../recording-transport.ts'
import type { Case } from '../transport.ts'

const overTheWire = (error: SockpoolError): SockpoolError => reviveError(JSON.parse(JSON.stringify(error)))
const overAThread = (error: SockpoolError): SockpoolError => reviveError(structuredClone(error.toJSON()))

/** Made where no event loop turns yet, as far as there is such a place. */
const early = new StreamReader()
const fedEarly = { transport: recordingTransport() }
const earlyFed = new StreamReader(fedEarly)

function factsOf(reader: StreamReader): unknown {
  return [reader.limit, reader.buffered, reader.offset, reader.atEof(), reader.exception(), reader.isWaiting]
}
const DEFAULTS: unknown = [65_536, 0, 0, false, null, false]

/** One case a name: there is no loop to be had here, so what is left of the tests are the defaults. */
function constructorCases(): Case[] {
  const readers = [
    ['without_loop', () => early],
    ['use_running_loop', () => new StreamReader()],
    ['use_global_loop', () => new StreamReader({}, undefined)],
  ] as const
  const protocols = [
    ['without_loop', () => ({ reader: earlyFed, ...fedEarly })],
    ['use_running_loop', fedAtOnce],
    ['use_global_loop', fedLater],
  ] as const
  return [
    ...readers.map(([name, make]) =>
      testCase(`test_streamreader_constructor_${name}: the defaults`, ['fed'], async () => {
        expect(factsOf(make())).toEqual(DEFAULTS)
      }),
    ),
    ...protocols.map(([name, make]) =>
      testCase(
        `test_streamreaderprotocol_constructor_${name}: what feeds a reader is its own, and once`,
        ['fed'],
        async () => {
          const { reader, transport } = make()
          expect(factsOf(reader)).toEqual(DEFAULTS)
          expect(() => reader.setTransport(recordingTransport())).toThrow('Transport already set')
          reader.feedData(Buffer.alloc(2 * 65_536 + 1))
          expect(transport.calls).toEqual(['pause'])
        },
      ),
    ),
  ]
}

function fedAtOnce(): { reader: StreamReader; transport: ReturnType<typeof recordingTransport> } {
  const transport = recordingTransport()
  return { reader: new StreamReader({ transport }), transport }
}

function fedLater(): { reader: StreamReader; transport: ReturnType<typeof recordingTransport> } {
  const transport = recordingTransport()
  const reader = new StreamReader()
  reader.setTransport(transport)
  return { reader, transport }
}

export const shapeCases: readonly Case[] = [
  ...constructorCases(),
  testCase('test_IncompleteReadError_pickleable: over a thread and through JSON', ['fed'], async () => {
    const error = new IncompleteReadError(Buffer.from('abc'), 10, { bytesDelivered: 0 })
    for (const copy of [overAThread(error), overTheWire(error)]) {
      expect(copy).toBeInstanceOf(IncompleteReadError)
      const { message, partial } = error
      expect(copy).toMatchObject({
        code: 'INCOMPLETE_READ',
        message,
        partial,
        expected: 10,
        bytesDelivered: 0,
      })
    }
    expect(overTheWire(new IncompleteReadError(Buffer.alloc(0), null))).toMatchObject({ expected: null })
  }),
  testCase('test_LimitOverrunError_pickleable: over a thread and through JSON', ['fed'], async () => {
    const error = new LimitOverrunError('message', 10)
    for (const copy of [overAThread(error), overTheWire(error)]) {
      expect(copy).toBeInstanceOf(LimitOverrunError)
      expect(copy).toMatchObject({ code: 'LIMIT_OVERRUN', message: 'message', consumed: 10 })
    }
  }),
  testCase('test___repr__', ['fed'], async () => {
    expect(inspect(new StreamReader())).toBe('<StreamReader>')
  }),
  testCase('test___repr__nondefault_limit', ['fed'], async () => {
    expect(inspect(new StreamReader({ limit: 123 }))).toBe('<StreamReader limit=123>')
  }),
  testCase('test___repr__eof', ['fed'], async () => {
    const reader = new StreamReader()
    reader.feedEof()
    expect(inspect(reader)).toBe('<StreamReader eof>')
  }),
  testCase('test___repr__data', ['fed'], async () => {
    const reader = new StreamReader()
    reader.feedData(Buffer.from('data'))
    expect(inspect(reader)).toBe('<StreamReader 4 bytes>')
    expect(inspect({ reader })).toBe('{ reader: <StreamReader 4 bytes> }')
  }),
  testCase('test___repr__exception', ['fed'], async () => {
    const reader = new StreamReader()
    reader.setException(new RangeError('broken'))
    expect(inspect(reader)).toBe("<StreamReader exception=RangeError('broken')>")
  }),
  testCase('test___repr__waiter: and none when it is over', ['fed'], async () => {
    const reader = new StreamReader()
    const reading = reader.readExactly(9)
    expect(inspect(reader)).toBe('<StreamReader waiter=<readexactly() pending>>')
    reader.feedData(Buffer.from('data'))
    expect(inspect(reader)).toBe('<StreamReader 4 bytes waiter=<readexactly() pending>>')
    const failure = rejected(reading)
    reader.feedEof()
    await failure
    expect(inspect(reader)).toBe('<StreamReader eof>')
  }),
  testCase('test___repr__transport', ['fed'], async () => {
    const transport = { ...recordingTransport(), [inspect.custom]: () => '<Transport>' }
    expect(inspect(new StreamReader({ transport }))).toBe('<StreamReader transport=<Transport>>')
  }),
]
