/** How long parsing holds up the thread that wants the values, or only sends them on. */
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { Parsers } from '../../src/parse/parsers.ts'

/** 1 MiB of empty records: as many parts as so many bytes can have. */
const RECORDS = `[${'{},'.repeat(349_524)}{}]`
const WRAP = { before: '{"values":[', between: ',', end: '', after: ']}' }

const parsers = new Parsers()

afterEach(() => parsers.close())

type CpuClock = { threadCpuUsage(): { readonly user: number; readonly system: number } }

/** Milliseconds of processor that the longest turn of this thread's event loop took: waiting for others counts nothing. */
async function longestTurnMs(work: () => Promise<unknown>): Promise<number> {
  const usedMs = (): number => {
    const { user, system } = (process as unknown as CpuClock).threadCpuUsage()
    return (user + system) / 1_000
  }
  let longestMs = 0
  let beganMs = usedMs()
  let isOver = false
  const turn = (): void => {
    const nowMs = usedMs()
    longestMs = Math.max(longestMs, nowMs - beganMs)
    beganMs = nowMs
    if (!isOver) setTimeout(turn, 1)
  }
  setTimeout(turn, 1)
  await work()
  await delay(5)
  isOver = true
  return longestMs
}

test.runIf('threadCpuUsage' in process)('a large result holds up nobody for long', async () => {
  const bytes = Buffer.from(RECORDS)
  // The thread starts.
  await parsers.parse('json', Buffer.from(`1${' '.repeat(2_000)}`))
  const value: unknown = JSON.parse(RECORDS)
  // What the thread would stand still for: the values in one piece, and on top their text.
  const inOnePiece = await longestTurnMs(() => Promise.resolve(JSON.stringify(structuredClone(value))))
  const asValues = await longestTurnMs(() => parsers.parse('json', bytes))
  const asText = await longestTurnMs(() => parsers.write('json', bytes, WRAP))
  expect(asValues).toBeLessThan(inOnePiece / 2)
  expect(asText).toBeLessThan(inOnePiece / 2)
})
