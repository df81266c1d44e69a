import { array, assert, asyncProperty, constantFrom, integer, oneof, record, tuple } from 'fast-check'
import { test } from 'vitest'
import { IncompleteReadError, LimitOverrunError } from '../../src/base/errors.ts'
import { StreamReader } from '../../src/streams/reading/stream-reader.ts'
import { ChannelPair } from '../support/channel-pair.ts'

type Read = readonly [name: 'readExactly' | 'readUntil' | 'readLine' | 'peek', count: number]
const SEPARATORS = [['\n'], ['ab'], ['a\n', '\n'], ['bb', 'abba']]

/** What a read gave or failed by, as text that can be compared. */
async function outcomeOf(reader: StreamReader, [name, count]: Read): Promise<string> {
  try {
    if (name === 'readUntil') return `${await reader.readUntil(SEPARATORS[count % SEPARATORS.length] ?? [])}`
    if (name === 'readLine') return `${await reader.readLine({ onOverrun: 'discard-line' })}`
    return `${await reader[name](count)}`
  } catch (error) {
    if (error instanceof IncompleteReadError) return `incomplete ${error.partial} of ${error.expected}`
    if (error instanceof LimitOverrunError) return 'overrun'
    throw error
  }
}

async function outcomesOf(reader: StreamReader, reads: readonly Read[], more: () => void): Promise<string[]> {
  const outcomes: string[] = []
  for (const read of reads) {
    let settled = false
    const outcome = outcomeOf(reader, read).finally(() => {
      settled = true
    })
    // Each piece comes when the read has done all it can with the ones before.
    for (let turn = 0; turn < 200 && !settled; turn++) {
      for (let tick = 0; tick < 12; tick++) await Promise.resolve()
      if (!settled) more()
    }
    outcomes.push(await outcome)
    if (outcomes.at(-1) === 'overrun') break
  }
  return outcomes
}

const text = array(constantFrom('a', 'b', '\n'), { maxLength: 60 }).map(letters => letters.join(''))
const read = tuple(
  constantFrom<Read[0]>('readExactly', 'readUntil', 'readLine', 'peek'),
  integer({ min: 0, max: 40 }),
)

const script = record({
  stream: text,
  reads: array(read, { minLength: 1, maxLength: 8 }),
  pieces: array(integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 10 }),
  inboundBytes: integer({ min: 2, max: 30 }),
  replay: oneof(constantFrom(0), integer({ min: 0, max: 29 })),
})

test('StreamReader gives the same over memory at once and over a ring in any pieces', async () => {
  const cases = asyncProperty(script, async ({ stream, reads, pieces, inboundBytes, replay }) => {
    const whole = new StreamReader({})
    whole.feedData(Buffer.from(stream))
    whole.feedEof()
    const expected = await outcomesOf(whole, reads, () => {})

    const pair = new ChannelPair({ inboundBytes, outboundBytes: 4 }, replay % inboundBytes)
    let rest = Buffer.from(stream)
    let turn = 0
    const more = (): void => {
      if (rest.length === 0) {
        pair.endInbound('fin')
        return
      }
      const piece = rest.subarray(0, pieces[turn++ % pieces.length])
      rest = rest.subarray(piece.length - pair.receive(piece).length)
    }
    const actual = await outcomesOf(new StreamReader({}, pair.source), reads, more)
    if (JSON.stringify(actual) !== JSON.stringify(expected))
      throw new Error(`${JSON.stringify(actual)} instead of ${JSON.stringify(expected)}`)
  })
  await assert(cases, { numRuns: 600 })
})
