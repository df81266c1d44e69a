/**
 * A script that both asyncio and we can play: what is fed to a reader, and what is called on it, in order. Bytes are
 * Latin-1 text.
 */
import { IncompleteReadError, LimitOverrunError } from '../../src/base/errors.ts'
import { type ReadOptions, StreamReader } from '../../src/streams/reading/stream-reader.ts'

export type Step =
  | readonly [kind: 'feed', text: string]
  | readonly [kind: 'eof']
  | readonly [kind: 'fail', message: string]
  | readonly [kind: 'cancel']
  | readonly [kind: 'read' | 'readexactly', n: number]
  | readonly [kind: 'readline']
  | readonly [kind: 'readuntil', separators: readonly string[]]

export type Script = { readonly limit: number; readonly steps: readonly Step[] }

/** `leftover`: all bytes that are buffered at the end, after every call was cancelled. */
export type Played = { readonly records: readonly StepRecord[]; readonly leftover: string | null }

/** What a step left behind, in the words of differential.py. */
export type StepRecord = {
  readonly error: string | null
  /** The calls that settled, by the number of their step. */
  readonly settled: ReadonlyArray<readonly [at: number, outcome: readonly unknown[]]>
  readonly waiting: number
  readonly buffered: number
  readonly atEof: boolean
  readonly exception: string | null
  readonly paused: boolean
}

/** A generator of numbers in [0, 1) that gives the same ones for the same seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A few letters only, so that separators and their beginnings are everywhere. */
const LETTERS = ['a', 'a', 'b', 'x', '\r', '\n']
const SINGLE = [['\n'], ['\r\n'], ['ab'], ['aab'], ['aa'], ['abab'], ['']]
const SEVERAL = [
  ['\n', '\r\n'],
  ['ab', 'b'],
  ['aab', 'ab', 'x'],
  ['abab', 'ba'],
  ['aa', 'aaa'],
  [],
  ['a', ''],
]

/** A random script; `several`: with more than one separator too. */
export function randomScript(random: () => number, several: boolean): Script {
  const below = (n: number): number => Math.floor(random() * n)
  const oneOf = <T>(list: readonly [T, ...T[]] | readonly T[]): T => list[below(list.length)] as T
  const limit = 1 + below(12)
  const text = (): string => Array.from({ length: below(2.5 * limit) }, () => oneOf(LETTERS)).join('')
  const step = (): Step => {
    const choice = below(100)
    if (choice < 42) return ['feed', text()]
    if (choice < 46) return ['eof']
    if (choice < 48) return ['fail', oneOf(['reset', 'gone'])]
    if (choice < 52) return ['cancel']
    if (choice < 64) return ['read', below(8) === 0 ? -1 - below(3) : below(3 * limit)]
    if (choice < 74) return ['readexactly', below(12) === 0 ? -1 : below(3 * limit)]
    if (choice < 87) return ['readline']
    return ['readuntil', oneOf(several && below(2) === 0 ? SEVERAL : SINGLE)]
  }
  return { limit, steps: Array.from({ length: 4 + below(14) }, step) }
}

/** Plays a script on StreamReader over memory. */
export async function play(script: Script): Promise<Played> {
  const player = new Player(script.limit)
  const records: StepRecord[] = []
  for (const [number, step] of script.steps.entries()) records.push(await player.step(number, step))
  return { records, leftover: await player.leftover() }
}

class Player {
  readonly #reader: StreamReader
  readonly #calls = new Set<AbortController>()
  #settled: Array<readonly [number, readonly unknown[]]> = []
  #isPaused = false
  #isFinished = false

  constructor(limit: number) {
    const pauses = (isPaused: boolean) => (): void => {
      this.#isPaused = isPaused
    }
    const transport = { pauseReading: pauses(true), resumeReading: pauses(false) }
    this.#reader = new StreamReader({ limit, transport })
  }

  async step(number: number, step: Step): Promise<StepRecord> {
    const error = this.#do(number, step)
    await new Promise(resolve => setImmediate(resolve))
    const reader = this.#reader
    const settled = this.#settled.sort(([one], [other]) => one - other)
    this.#settled = []
    return {
      error,
      settled,
      waiting: this.#calls.size,
      buffered: reader.buffered,
      atEof: reader.atEof(),
      exception: reader.exception()?.message ?? null,
      paused: this.#isPaused && !this.#isFinished,
    }
  }

  async leftover(): Promise<string> {
    await this.step(-1, ['cancel'])
    const bytes = await this.#reader.read(this.#reader.buffered, { onReset: 'drain-then-raise' })
    return bytes.toString('latin1')
  }

  #do(number: number, step: Step): string | null {
    const reader = this.#reader
    switch (step[0]) {
      case 'feed':
        try {
          reader.feedData(Buffer.from(step[1], 'latin1'))
        } catch (error) {
          return (error as Error).message
        }
        return null
      case 'eof':
        this.#isFinished = true
        reader.feedEof()
        return null
      case 'fail':
        reader.setException(new Error(step[1]))
        return null
      case 'cancel':
        for (const call of this.#calls) call.abort()
        return null
      case 'read':
        return this.#call(number, options => reader.read(step[1], options))
      case 'readexactly':
        return this.#call(number, options => reader.readExactly(step[1], options))
      case 'readline':
        // What asyncio raises from there has no count.
        return this.#call(number, options => reader.readLine(options), true)
      case 'readuntil': {
        const [only] = step[1]
        const separator = step[1].length === 1 && only !== undefined ? only : [...step[1]]
        return this.#call(number, options => reader.readUntil(separator, options))
      }
      default:
        return step satisfies never
    }
  }

  #call(number: number, run: (options: ReadOptions) => Promise<Buffer>, isLine = false): null {
    const controller = new AbortController()
    this.#calls.add(controller)
    const settle = (outcome: readonly unknown[]): void => {
      this.#calls.delete(controller)
      this.#settled.push([number, outcome])
    }
    run({ signal: controller.signal }).then(
      bytes => settle(['bytes', bytes.toString('latin1')]),
      error => settle(outcomeOf(error, isLine)),
    )
    return null
  }
}

function outcomeOf(error: Error, isLine: boolean): readonly unknown[] {
  if (error.name === 'AbortError') return ['cancelled']
  if (error instanceof IncompleteReadError)
    return ['incomplete', error.partial.toString('latin1'), error.expected, error.message]
  if (error instanceof LimitOverrunError && !isLine) return ['overrun', error.message, error.consumed]
  return ['error', error.message]
}
