/**
 * BlockingReader against StreamReader: the same random scripts are played on both, and every result, error, count and
 * leftover must be the same. The peer is silent until a call waits, and then does its next step.
 * `SOCKPOOL_TEST_SEED` repeats a run.
 */
import { expect, test } from 'vitest'
import { IncompleteReadError, LimitOverrunError, SockpoolError } from '../../src/base/errors.ts'
import { BlockingReader } from '../../src/streams/blocking/blocking-reader.ts'
import type { StreamEnd } from '../../src/streams/byte-source.ts'
import { type ReadOptions, StreamReader } from '../../src/streams/reading/stream-reader.ts'
import { ScriptedSource } from '../fixtures/streams/scripted-source.ts'
import { randomFrom } from './stream-script.ts'

const SCRIPTS = 5_000
const { SOCKPOOL_TEST_SEED } = process.env
const BROKEN = new SockpoolError('CONNECTION_RESET', 'broken')

type Call = {
  readonly name: 'read' | 'readExactly' | 'readUntil' | 'readLine' | 'peek' | 'unread'
  readonly count: number
  readonly separators: string[]
  readonly options: Omit<ReadOptions, 'signal'>
}
type Script = {
  readonly limit: number
  readonly onReset: 'raise' | 'drain-then-raise'
  readonly peer: ReadonlyArray<string | StreamEnd>
  readonly calls: readonly Call[]
}

const SEPARATORS = [['\n'], ['ab'], ['a\n', '\n'], ['aab', 'ab', 'x'], ['']]
const ENDS: ReadonlyArray<StreamEnd | null> = [
  null,
  { kind: 'fin' },
  { kind: 'closed' },
  { kind: 'failed', error: BROKEN },
]

function randomScript(random: () => number): Script {
  const below = (n: number): number => Math.floor(random() * n)
  const oneOf = <T>(list: readonly T[]): T => list[below(list.length)] as T
  const sometimes = <T>(value: T): T | undefined => (below(3) === 0 ? value : undefined)
  const text = (): string => Array.from({ length: 1 + below(9) }, () => oneOf(['a', 'b', 'x', '\n'])).join('')
  const end = oneOf(ENDS)
  const call = (): Call => ({
    name: oneOf(['read', 'readExactly', 'readUntil', 'readLine', 'peek', 'unread']),
    count: below(12) - 1,
    separators: oneOf(SEPARATORS),
    options: {
      limit: sometimes(below(8)),
      onOverrun: sometimes('discard-line'),
      onReset: sometimes(oneOf(['raise', 'drain-then-raise'])),
    },
  })
  return {
    limit: 1 + below(8),
    onReset: oneOf(['raise', 'drain-then-raise']),
    peer: [...Array.from({ length: below(9) }, text), ...(end === null ? [] : [end])],
    calls: Array.from({ length: 1 + below(9) }, call),
  }
}

/** A read, or its bytes put back: the last that were read, or some of them. */
function playCall<T>(
  reader: StreamReader | BlockingReader,
  { name, count, separators, options }: Call,
  extra: ReadOptions,
  last: Buffer,
): T {
  const all = { ...options, ...extra }
  if (name === 'readUntil') return reader.readUntil(separators, all) as T
  if (name === 'readLine') return reader.readLine(all) as T
  if (name !== 'unread') return reader[name](count, all) as T
  const back = last.subarray(-Math.max(1, count))
  reader.unread(back)
  return Buffer.alloc(0) as T
}

/** What a call failed by, as text. The readers name their calls differently, and one of them has no signal. */
function failureText(error: unknown): string {
  if (error instanceof IncompleteReadError) return `incomplete ${error.partial} of ${error.expected}`
  if (error instanceof LimitOverrunError) return `overrun: ${error.message} ${error.consumed}`
  if (!(error instanceof SockpoolError)) return String(error)
  return error.code === 'ABORTED' || error.code === 'READ_TIMEOUT'
    ? 'in vain'
    : `${error.code} ${error.message}`
}

function stateText(reader: StreamReader | BlockingReader): string {
  const { offset, buffered } = reader
  return `at ${offset} + ${buffered} ${reader.atEof()} ${reader.exception()?.message}`
}

function playBlocking({ limit, onReset, peer, calls }: Script): string[] {
  const reader = new BlockingReader(new ScriptedSource(...peer), { limit, onReset })
  let last: Buffer = Buffer.alloc(0)
  return calls.map(call => {
    const outcome = ((): string => {
      try {
        last = playCall<Buffer>(reader, call, {}, last)
        return String(last)
      } catch (error) {
        return failureText(error)
      }
    })()
    return `${call.name}: ${outcome}, ${stateText(reader)}`
  })
}

async function playAsync({ limit, onReset, peer, calls }: Script): Promise<string[]> {
  const reader = new StreamReader({ limit, onReset })
  const steps = [...peer]
  const outcomes: string[] = []
  let last: Buffer = Buffer.alloc(0)
  for (const call of calls) {
    const stop = new AbortController()
    const reading = (async () =>
      await playCall<Promise<Buffer>>(reader, call, { signal: stop.signal }, last))()
    const told = reading.then(bytes => {
      last = bytes
      return String(bytes)
    }, failureText)
    while (reader.isWaiting) {
      const step = steps.shift()
      if (step === undefined) stop.abort()
      else if (typeof step === 'string') reader.feedData(Buffer.from(step))
      else if (step.kind === 'failed') reader.setException(step.error)
      else reader.feedEof()
    }
    outcomes.push(`${call.name}: ${await told}, ${stateText(reader)}`)
  }
  return outcomes
}

test(`BlockingReader is StreamReader in ${SCRIPTS} random scripts`, async () => {
  const seed = Number(SOCKPOOL_TEST_SEED ?? Math.floor(Math.random() * 2 ** 32))
  console.info(`seed ${seed}`)
  const random = randomFrom(seed)
  const seen = new Set<string>()
  for (let number = 0; number < SCRIPTS; number++) {
    const script = randomScript(random)
    const outcomes = playBlocking(script)
    expect(outcomes, `seed ${seed}: ${JSON.stringify(script)}`).toEqual(await playAsync(script))
    for (const outcome of outcomes) seen.add(outcome.replace(/^\w+: (\w+).*/s, '$1'))
  }
  // The scripts reach what they are for.
  for (const kind of [
    'incomplete',
    'overrun',
    'in',
    'CONNECTION_RESET',
    'INVALID_SEPARATOR',
    'INVALID_REQUEST',
  ])
    expect(seen).toContain(kind)
})
