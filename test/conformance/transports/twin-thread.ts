/** Makes plain blocking calls on readers and writers of its own, one after the other, as it is told. */
import { inspect } from 'node:util'
import { parentPort, workerData } from 'node:worker_threads'
import { SockpoolError } from '../../../src/base/errors.ts'
import { allocateLoan, LoanWords } from '../../../src/channel/loan-words.ts'
import { attachPool } from '../../../src/library/attach-pool.ts'
import { BlockingReader } from '../../../src/streams/blocking/blocking-reader.ts'
import type { BlockingWriter } from '../../../src/streams/blocking/blocking-writer.ts'
import { borrowSource } from '../../../src/streams/channel-ends/lent-source.ts'
import type {
  PeerProgress,
  TwinAnswer,
  TwinAsk,
  TwinQuestion,
  TwinSetUp,
  TwinsData,
} from './twin-protocol.ts'

type Twins = {
  readonly reader: BlockingReader
  readonly writer: BlockingWriter | null
  readonly release: () => unknown
  readonly discard: () => unknown
  lines: Iterator<Buffer>
}

const { handle } = workerData as TwinSetUp
const pool = handle && attachPool(handle)
const held = new Map<number, Twins>()
let lastNumber = 0

parentPort?.on('message', ({ id, ask }: TwinQuestion) => {
  const told = answer(id, ask)
  try {
    parentPort?.postMessage(told)
  } catch (error) {
    parentPort?.postMessage({ id, kind: 'fault', ...namesOf(error) } satisfies TwinAnswer)
  }
  if (ask.kind === 'end') parentPort?.close()
})

function answer(id: number, ask: TwinAsk): TwinAnswer {
  try {
    const value = perform(ask)
    return { id, kind: 'value', value: value instanceof SockpoolError ? value.toJSON() : value }
  } catch (error) {
    if (error instanceof SockpoolError) return { id, kind: 'error', error: error.toJSON() }
    return { id, kind: 'fault', ...namesOf(error) }
  }
}

function namesOf(error: unknown): { readonly name: string; readonly message: string } {
  const { name, message } = error instanceof Error ? error : new Error(inspect(error))
  return { name, message }
}

function perform(ask: TwinAsk): unknown {
  switch (ask.kind) {
    case 'lend': {
      const reader = new BlockingReader(borrowSource(ask.lent, LoanWords.of(allocateLoan())), ask.options)
      return hold(
        { reader, writer: null, release: noLease, discard: noLease },
        { localPort: 0, reused: false },
      )
    }
    case 'lease': {
      // What breaks a connection is told as asyncio tells it.
      const lease = attachedPool().leaseSync('it', { onReset: 'raise', ...ask.options })
      const { reader, writer, reused, connection } = lease
      const release = (): unknown => lease.release()
      const discard = (): unknown => lease.discard()
      return hold({ reader, writer, release, discard }, { localPort: connection.localPort, reused })
    }
    case 'dial':
      return attachedPool().leaseSync({ host: '127.0.0.1', port: ask.port }).discard()
    case 'call':
      return call(ask)
    case 'give':
      return twinsOf(ask.twins)[ask.how]()
    case 'end':
      pool?.[Symbol.dispose]()
      return null
    default:
      return ask satisfies never
  }
}

function noLease(): unknown {
  return null
}

function attachedPool(): NonNullable<typeof pool> {
  if (pool === null) throw new Error('this thread has no pool')
  return pool
}

function hold(twins: Omit<Twins, 'lines'>, facts: Omit<TwinsData, 'twins'>): TwinsData {
  const number = ++lastNumber
  held.set(number, { ...twins, lines: twins.reader[Symbol.iterator]() })
  return { ...facts, twins: number }
}

function twinsOf(number: number): Twins {
  const twins = held.get(number)
  if (twins === undefined) throw new Error('there are no such twins')
  return twins
}

function call({ twins: number, end, member, args, progress }: TwinAsk & { readonly kind: 'call' }): unknown {
  const twins = twinsOf(number)
  awaitPeer(twins.reader, progress)
  if (end === 'lines' && member === 'begin') {
    twins.lines = twins.reader[Symbol.iterator]()
    return null
  }
  const target = twins[end]
  if (target === null) throw new Error(`there is no ${end}`)
  const found: unknown = Reflect.get(target, member)
  return typeof found === 'function' ? Reflect.apply(found, target, args) : found
}

/** What the peer had done before the call was made is known to this thread when it makes it. */
function awaitPeer(reader: BlockingReader, { arrived, hasEnded }: PeerProgress): void {
  const wanted = hasEnded ? Number.MAX_SAFE_INTEGER : arrived - reader.offset
  if (wanted <= reader.buffered) return
  try {
    reader.peek(wanted)
  } catch (error) {
    // What ended the stream is for the call to tell.
    if (!(error instanceof SockpoolError)) throw error
  }
}
