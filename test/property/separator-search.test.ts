import { array, assert, integer, property, uint8Array } from 'fast-check'
import { test } from 'vitest'
import { LimitOverrunError } from '../../src/base/errors.ts'
import { SeparatorSearch } from '../../src/streams/reading/separator-search.ts'
import { scan } from '../fixtures/scan.ts'

type Outcome = { start: number; end: number } | { message: string; consumed: number } | null

/** The rule as asyncio writes it: a search per separator over all that is buffered. */
function naive(buffered: Buffer, separators: Uint8Array[], limit: number): Outcome {
  let best: { start: number; end: number } | null = null
  for (const separator of separators.toSorted((a, b) => a.length - b.length)) {
    const start = buffered.indexOf(separator)
    if (start !== -1 && (best === null || start + separator.length < best.end))
      best = { start, end: start + separator.length }
  }
  if (best && best.start <= limit) return best
  if (best) return { message: 'Separator is found, but chunk is longer than limit', consumed: best.start }
  const longest = Math.max(...separators.map(separator => separator.length))
  const offset = Math.max(0, buffered.length + 1 - longest)
  if (offset <= limit) return null
  return { message: 'Separator is not found, and chunk exceed the limit', consumed: offset }
}

function outcomeOf(run: () => Outcome): Outcome {
  try {
    return run()
  } catch (error) {
    if (!(error instanceof LimitOverrunError)) throw error
    return { message: error.message, consumed: error.consumed }
  }
}

/** Few different bytes, so that separators overlap, repeat and are cut often. */
const bytes = (minLength: number, maxLength: number) => uint8Array({ minLength, maxLength, min: 97, max: 99 })

test('SeparatorSearch agrees with a naive search for every arrival and every cut into views', async () => {
  const cases = property(
    array(bytes(1, 4), { minLength: 1, maxLength: 4 }),
    bytes(0, 40),
    array(integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 10 }),
    integer({ min: 1, max: 7 }),
    integer({ min: 0, max: 30 }),
    (separators, stream, arrivals, viewBytes, limit) => {
      const search = new SeparatorSearch(separators, limit)
      let available = 0
      for (let turn = 0; available < stream.length; turn++) {
        available = Math.min(stream.length, available + (arrivals[turn % arrivals.length] ?? 1))
        const views: Uint8Array[] = []
        for (let start = 0; start < available; start += viewBytes)
          views.push(stream.subarray(start, Math.min(available, start + viewBytes)))
        const actual = outcomeOf(() => scan(search, views, available))
        const expected = naive(Buffer.from(stream.subarray(0, available)), separators, limit)
        if (JSON.stringify(actual) !== JSON.stringify(expected))
          throw new Error(`${available}: ${JSON.stringify(actual)} instead of ${JSON.stringify(expected)}`)
        if (actual !== null) return
      }
    },
  )
  await assert(cases, { numRuns: 5_000 })
})
