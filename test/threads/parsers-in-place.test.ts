/** Small inputs, which are parsed where they are asked for: what comes of them is what comes of them on a thread. */
import { assert, asyncProperty, constantFrom, string } from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { SockpoolError } from '../../src/base/errors.ts'
import { INPUT_START } from '../../src/base/input-part.ts'
import { LIMITS } from '../../src/base/limits.ts'
import { Parsers } from '../../src/parse/parsers.ts'

const here = new Parsers()
const there = new Parsers({ inPlaceBytesMax: -1 })

afterAll(() => Promise.all([here.close(), there.close()]))

const WRAP = { before: '[', between: ',', end: '', after: ']' }

type Outcome = { readonly value: unknown } | { readonly error: object; readonly cause: unknown }

async function outcomeOf(run: () => Promise<unknown>): Promise<Outcome> {
  try {
    return { value: await run() }
  } catch (error) {
    if (!(error instanceof SockpoolError)) throw error
    return { error: error.toJSON(), cause: error.cause }
  }
}

const partOf = (bytes: Uint8Array) => ({ ...INPUT_START, pieces: [new Uint8Array(bytes)], isLast: true })

const WAYS: Readonly<
  Record<string, (parsers: Parsers, format: string, bytes: Uint8Array) => Promise<unknown>>
> = {
  parse: (parsers, format, bytes) => parsers.parse(format, bytes),
  write: (parsers, format, bytes) => parsers.write(format, new Uint8Array(bytes), WRAP),
  part: async (parsers, format, bytes) => {
    const result = await parsers.writePart(format, partOf(bytes))
    if (result.kind === 'whole') return result
    return { ...result, texts: Buffer.concat(result.texts).toString() }
  },
}

const noise = string({
  unit: constantFrom(
    ...'{}[]",:\\u0129.-+eE \r\ntruefalsn',
    'null',
    '[1]',
    '{"a":1}\n',
    '"__proto__"',
    '\xff',
    '1e400',
  ),
  maxLength: 30,
})

describe.each(Object.entries(WAYS))('%s of a small input', (_name, ask) => {
  test.each(['json', 'ndjson', 'lines'])('gives of %s in place what it gives on a thread', async format => {
    const counted = here.stats().inPlace
    const cases = asyncProperty(noise, async text => {
      const bytes = Buffer.from(text, 'latin1')
      const [own, other] = [
        outcomeOf(() => ask(here, format, bytes)),
        outcomeOf(() => ask(there, format, bytes)),
      ]
      expect(await own).toEqual(await other)
    })
    await assert(cases, { numRuns: 60 })
    expect(here.stats().inPlace - counted).toBeGreaterThanOrEqual(60)
    expect(here.stats().bytes.completed).toBe(0)
    expect(there.stats().inPlace).toBe(0)
  })
})

describe('in place', () => {
  test('is for what is small and not compressed alone', async () => {
    const parsers = new Parsers()
    try {
      const bytes = Buffer.from(`"${'x'.repeat(LIMITS.parseInPlaceBytes - 2)}"`)
      await parsers.parse('json', bytes)
      expect(parsers.stats()).toMatchObject({ inPlace: 1, bytes: { completed: 0 } })
      await parsers.parse('json', Buffer.concat([bytes, Buffer.from(' ')]))
      expect(parsers.stats()).toMatchObject({ inPlace: 1, bytes: { completed: 1 } })
      const { gzipSync } = await import('node:zlib')
      expect(await parsers.parse('json', gzipSync('[1]'), { decompress: 'gzip' })).toEqual([[1]])
      expect(parsers.load).toMatchObject({ inPlace: 1, busy: 0, long: [] })
      expect(parsers.stats()).toMatchObject({ bytes: { completed: 1 }, processes: { completed: 1 } })
    } finally {
      await parsers.close()
    }
  })

  test('leaves the event loop its turns, however often it is asked', async () => {
    const parsers = new Parsers()
    let turns = 0
    const turn = setInterval(() => turns++, 1)
    for (let asked = 0; asked < 2_000 || turns === 0; asked++) {
      expect(asked).toBeLessThan(1_000_000)
      await parsers.parse('json', Buffer.from('1'))
    }
    clearInterval(turn)
    await parsers.close()
  })

  test('has one wait for a turn, and gives a crowd to the threads', async () => {
    const parsers = new Parsers()
    try {
      const crowd = Array.from({ length: 500 }, (_, index) => parsers.parse('json', Buffer.from(`${index}`)))
      expect(await Promise.all(crowd)).toEqual(crowd.map((_, index) => [index]))
      const { inPlace, bytes } = parsers.stats()
      expect(inPlace).toBeGreaterThan(LIMITS.parseInPlacePerTurn)
      expect(inPlace + bytes.completed).toBe(crowd.length)
      expect(bytes.completed).toBeGreaterThan(0)
    } finally {
      await parsers.close()
    }
  })

  test('is refused where the end or its signal comes while it waits for a turn', async () => {
    const parsers = new Parsers()
    const caller = new AbortController()
    const full = Array.from({ length: LIMITS.parseInPlacePerTurn }, () =>
      parsers.parse('json', Buffer.from('1')),
    )
    const late = parsers.parse('json', Buffer.from('2'), {}, { signal: caller.signal })
    const refused = expect(late).rejects.toMatchObject({ code: 'ABORTED' })
    caller.abort()
    await Promise.all([...full, refused])
    const more = Array.from({ length: LIMITS.parseInPlacePerTurn + 1 }, () =>
      parsers.parse('json', Buffer.from('1')),
    )
    const ended = Promise.allSettled(more)
    const closed = parsers.close()
    expect((await ended).at(-1)).toMatchObject({ status: 'rejected', reason: { code: 'DRAINING' } })
    await closed
  })

  test('heeds a signal and the end, as threads do', async () => {
    const parsers = new Parsers()
    const asked = () => parsers.parse('json', Buffer.from('1'), {}, { signal: AbortSignal.abort() })
    await expect(asked()).rejects.toMatchObject({ code: 'ABORTED' })
    await parsers.close()
    await expect(parsers.parse('json', Buffer.from('1'))).rejects.toMatchObject({ code: 'DRAINING' })
    await expect(parsers.writePart('json', partOf(Buffer.from('1')))).rejects.toMatchObject({
      code: 'DRAINING',
    })
  })
})
