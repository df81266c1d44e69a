/** Bytes of another thread may come between any two looks at a source. No read may take them for looked at. */
import { describe, expect, it } from 'vitest'
import { MemorySource } from '../../../src/streams/reading/memory-source.ts'
import { StreamReader } from '../../../src/streams/reading/stream-reader.ts'

const TIMEOUT_MS = 1_000

/** Right after each of the first looks at how much is there, more is. Asking to be woken misses nothing. */
class RacingSource extends MemorySource {
  readonly #late: string[] = []
  #isAsked = false

  constructor(...late: string[]) {
    super()
    this.#late.push(...late)
  }

  override get available(): number {
    const seen = super.available
    const late = this.#isAsked ? undefined : this.#late.shift()
    if (late !== undefined) this.feed(Buffer.from(late))
    return seen
  }

  override request(count: number, wake: (() => void) | null): boolean {
    this.#isAsked = true
    const isStored = super.request(count, wake)
    this.#isAsked = false
    return isStored
  }

  /** From now on. */
  race(...late: string[]): void {
    this.#late.push(...late)
  }
}

describe('a read that races with what comes', () => {
  const wait = { timeoutMs: TIMEOUT_MS }

  it.each([
    ['readLine', (reader: StreamReader) => reader.readLine(wait)],
    ['readUntil', (reader: StreamReader) => reader.readUntil('\n', wait)],
    ['readUntil of several', (reader: StreamReader) => reader.readUntil(['--', '\n'], wait)],
    ['readExactly', (reader: StreamReader) => reader.readExactly(5, wait)],
    ['read', (reader: StreamReader) => reader.read(5, wait)],
    ['peek', (reader: StreamReader) => reader.peek(5, wait)],
  ])('%s does not sleep on bytes that came after it looked', async (_name, read) => {
    expect((await read(new StreamReader({}, new RacingSource('line\n')))).toString()).toBe('line\n')
  })

  it('finds a line whose pieces come at every look', async () => {
    const reader = new StreamReader({}, new RacingSource('a', 'b', 'c', 'd\n', 'next'))
    expect((await reader.readLine(wait)).toString()).toBe('abcd\n')
  })

  it.each([
    ['at the first look', [' and its end\nok\n']],
    ['in pieces', [' and', ' its end\n', 'ok', '\n']],
  ])('finds the end of an overlong line that came after it looked, %s', async (_name, late) => {
    const source = new RacingSource()
    const reader = new StreamReader({ limit: 4 }, source)
    source.feed(Buffer.from('too long a line'))
    const discard = { ...wait, onOverrun: 'discard-line' } as const
    await expect(reader.readLine(discard)).rejects.toThrow('exceed the limit')
    source.race(...late)
    expect((await reader.readLine(discard)).toString()).toBe('ok\n')
  })
})
