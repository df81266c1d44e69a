/**
 * `node test/bench/parse-in-place.ts`: what a small input costs the thread that asks, parsed in place and sent to a parse thread
 * and back, by format and size. Where the two meet is LIMITS.parseInPlaceBytes.
 */
import { Parsers } from '../../src/parse/parsers.ts'
import { beginStretch } from './busy.ts'
import { median } from './rounds.ts'

const SIZES = [64, 256, 1_024, 4_096, 8_192, 16_384, 65_536]
const ROUNDS = 9
const ROUND_MS = 40
const WRAP = { before: '{"values":[', between: ',', end: '', after: ']}' }

/** One input of the format, as long as that. The dear one is brackets, a token a byte. */
const INPUTS: Readonly<Record<string, (bytes: number) => Buffer>> = {
  json: bytes => Buffer.from(JSON.stringify(rowsOf(bytes - 2))),
  'json (dear)': bytes => Buffer.from(`[${'[],'.repeat(Math.floor(bytes / 3) - 2)}[]]`),
  ndjson: bytes =>
    Buffer.from(
      `${rowsOf(bytes)
        .map(row => JSON.stringify(row))
        .join('\n')}\n`,
    ),
  lines: bytes =>
    Buffer.from('a line of an ordinary length, as logs have\n'.repeat(Math.ceil(bytes / 43)).slice(0, bytes)),
}

function rowsOf(bytes: number): object[] {
  const count = Math.max(1, Math.floor(bytes / 44))
  return Array.from({ length: count }, (_, id) => ({ id, name: 'somebody', price: 12.5 }))
}

/** Milliseconds of this thread's processor, and of time, for one call. */
async function costOf(
  call: () => Promise<unknown>,
): Promise<{ readonly cpuMs: number; readonly ms: number }> {
  const end = beginStretch()
  const until = performance.now() + ROUND_MS
  let count = 0
  for (; performance.now() < until; count++) await call()
  const { elapsedMs, cpu } = end()
  return { cpuMs: (cpu * elapsedMs) / count, ms: elapsedMs / count }
}

const micro = (values: readonly number[]): string => `${(median(values) * 1_000).toFixed(1).padStart(7)}`

const here = new Parsers({ inPlaceBytesMax: Number.MAX_SAFE_INTEGER })
const there = new Parsers({ inPlaceBytesMax: -1 })
process.stdout.write('microseconds of the asking thread for one call; in brackets until it has its answer\n')
for (const [name, make] of Object.entries(INPUTS)) {
  const [format = ''] = name.split(' ')
  for (const bytes of SIZES) {
    const input = make(bytes)
    const ways = {
      values: (parsers: Parsers) => parsers.parse(format, input),
      text: (parsers: Parsers) => parsers.write(format, new Uint8Array(input), WRAP),
    }
    const cells: string[] = []
    for (const [way, ask] of Object.entries(ways)) {
      const rounds: {
        readonly own: number[]
        readonly other: number[]
        readonly ms: number[]
        readonly otherMs: number[]
      } = { own: [], other: [], ms: [], otherMs: [] }
      for (let round = 0; round <= ROUNDS; round++) {
        const own = await costOf(() => ask(here))
        const other = await costOf(() => ask(there))
        if (round === 0) continue
        rounds.own.push(own.cpuMs)
        rounds.other.push(other.cpuMs)
        rounds.ms.push(own.ms)
        rounds.otherMs.push(other.ms)
      }
      cells.push(
        `${way}: here ${micro(rounds.own)} (${micro(rounds.ms)})  thread ${micro(rounds.other)} (${micro(rounds.otherMs)})`,
      )
    }
    process.stdout.write(`${name.padEnd(12)} ${String(input.length).padStart(6)} B  ${cells.join('   ')}\n`)
  }
}
await Promise.all([here.close(), there.close()])
