/**
 * A long echo over TLS to a reader that is always behind. What the library holds of it meanwhile:
 *
 *   unread    the inbound ring, whatever the peer would send: reads within the limit set nothing aside
 *   unsent    the high water mark (64 KiB) and the one write that went over it
 *   live      1 MiB more than before in the memory of this thread, garbage aside
 *   resident  64 MiB more than before in the whole process, garbage included
 *
 * 128 MiB each; with SOCKPOOL_TEST_LONG=1 the default rings get 1 GiB, within the same bounds.
 */
import { randomBytes } from 'node:crypto'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { LIMITS } from '../../src/base/limits.ts'
import { DEFAULT_RING_SIZES } from '../../src/channel/slab.ts'
import type { Pool } from '../../src/pool/pool.ts'
import type { StreamReader } from '../../src/streams/reading/stream-reader.ts'
import type { StreamWriter } from '../../src/streams/writing/stream-writer.ts'
import type { WorkerStats } from '../../src/threads/worker-stats.ts'
import { openPool } from '../support/pool-fixture.ts'
import { startTlsEcho, type TlsEcho } from '../support/tls-echo.ts'

const MIB = 1_048_576
const { SOCKPOOL_TEST_LONG } = process.env
const ECHO_MIB = 128
const LONG_ECHO_MIB = SOCKPOOL_TEST_LONG === '1' ? 1_024 : ECHO_MIB
/** Bytes that the reader takes each time the peer is held back. */
const WINDOW_BYTES = 4 * MIB
/** Windows between two looks at live memory, each of which collects the garbage first. */
const WINDOWS_PER_LOOK = 4
const WRITE_BYTES = 131_072
const UNSENT_BYTES_MAX = LIMITS.writeHighWaterBytes + WRITE_BYTES
const LIVE_BYTES_MAX = MIB
const RESIDENT_BYTES_MAX = 64 * MIB
const WAIT = { timeoutMs: 30_000 }

/** Byte `p` of the stream is that of the table at `p` mod a prime, so that no moved or doubled piece fits. */
const PERIOD = 65_521
const period = randomBytes(PERIOD)
const table = Buffer.concat([period, period, period, period])

/** Bytes `from` to `from + count` of the stream: a piece of the table, so that the test itself makes no garbage. */
function piece(from: number, count: number): Buffer {
  const start = from % PERIOD
  return table.subarray(start, start + count)
}

setFlagsFromString('--expose-gc')
const collectOnce: () => void = runInNewContext('gc')

/** The second collection counts what the first one freed. */
function collect(): void {
  collectOnce()
  collectOnce()
}

class Peak {
  value: number = Number.NEGATIVE_INFINITY

  see(value: number): void {
    this.value = Math.max(this.value, value)
  }
}

async function send(total: number, writer: StreamWriter, unsent: Peak): Promise<void> {
  for (let sent = 0; sent < total; sent += WRITE_BYTES) {
    writer.write(piece(sent, WRITE_BYTES))
    unsent.see(writer.buffered)
    await writer.drain(WAIT)
  }
}

async function readWindow(reader: StreamReader, unread: Peak): Promise<void> {
  for (const end = reader.offset + WINDOW_BYTES; reader.offset < end; ) {
    unread.see(reader.buffered)
    const from = reader.offset
    const bytes = await reader.read(Math.min(reader.limit, end - from), WAIT)
    if (!bytes.equals(piece(from, bytes.length))) throw new Error(`a wrong byte at ${from} or after it`)
  }
}

/**
 * Resolves with true once nothing moves, and with false once the peer has nothing left to send. Nothing moves where
 * the peer is held back by the same chunk before and after the I/O worker has answered, and has received nothing.
 */
async function waitUntilHeld(peer: TlsEcho, pool: Pool): Promise<boolean> {
  let before = ''
  for (;;) {
    const written = await peer.heldOrDone()
    if (written === 'done') return false
    const [worker] = (await pool.workers()) as readonly WorkerStats[]
    const now = `${written} ${worker?.bytesIn}`
    if (now === before) return true
    before = now
  }
}

test.each([
  { rings: 'rings of 256 KiB', sizes: { inboundBytes: LIMITS.inboundRingBytes }, mib: ECHO_MIB },
  { rings: 'its default rings', sizes: DEFAULT_RING_SIZES, mib: LONG_ECHO_MIB },
])(
  'a TLS connection with a slow reader holds $rings and no more of an echo of $mib MiB',
  {
    timeout: 120_000,
  },
  async ({ sizes, mib }) => {
    const total = mib * MIB
    const windows = total / WINDOW_BYTES
    const peer = await startTlsEcho(total)
    const { host, port, ca } = peer
    const targets = { echo: { host, port, tls: { ca, servername: 'localhost' } } }
    const pool = await openPool({ targets, rings: sizes })
    const { reader, writer } = await pool.lease('echo')
    const peaks = { unread: new Peak(), unsent: new Peak(), live: new Peak(), resident: new Peak() }
    let held = 0
    collect()
    const before = process.memoryUsage()
    const sending = send(total, writer, peaks.unsent)
    sending.catch(() => 'told below, after what it did to the reader')
    for (let window = 0; window < windows; window++) {
      if (await waitUntilHeld(peer, pool)) held++
      peaks.resident.see(process.memoryUsage.rss() - before.rss)
      if (window % WINDOWS_PER_LOOK === 0) {
        collect()
        const { arrayBuffers, external } = process.memoryUsage()
        peaks.live.see(Math.max(arrayBuffers - before.arrayBuffers, external - before.external))
      }
      await readWindow(reader, peaks.unread)
    }
    await sending
    const { unread, unsent, live, resident } = peaks
    const inMib = (bytes: number): string => `${(bytes / MIB).toFixed(2)} MiB`
    console.info(
      `held back ${held} of ${windows} times; unread ${inMib(unread.value)}, unsent ${inMib(unsent.value)}, ` +
        `live ${inMib(live.value)}, resident ${inMib(resident.value)} beside ${inMib(before.rss)}`,
    )
    expect(reader.offset).toBe(total)
    // Near the end the kernel has room for all that is left.
    expect(held).toBeGreaterThan(windows / 2)
    expect(unread.value).toBeGreaterThanOrEqual(LIMITS.inboundRingBytes)
    expect(unread.value).toBeLessThanOrEqual(Math.max(...Object.values(sizes)))
    expect(unsent.value).toBeLessThanOrEqual(UNSENT_BYTES_MAX)
    expect(live.value).toBeLessThan(LIVE_BYTES_MAX)
    expect(resident.value).toBeLessThan(RESIDENT_BYTES_MAX)
  },
)
