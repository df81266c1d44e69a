/**
 * The callers of the canary: each leases and asks, or sends a message that is alone, and now and then gives up, leaves half a
 * request, or meets a peer that is late or ends. What it hears must be its own, byte for byte.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { SockpoolError } from '../../src/base/errors.ts'
import type { Lease } from '../../src/pool/lease/lease.ts'
import type { Pool } from '../../src/pool/pool.ts'
import type { Random } from '../support/fence-random.ts'
import type { Findings } from './findings.ts'
import { type Act, answerText, portOfAnswer, requestText, type StampedRequest } from './stamps.ts'
import { answerOf, requestBytes, type WireName } from './wires.ts'

/** What is done with one request, beside asking and hearing. */
type Way = Act | 'cancel' | 'half' | 'unread' | 'kill' | 'discard'

const LEASED: Readonly<Partial<Record<Way, number>>> = {
  echo: 820,
  late: 30,
  split: 30,
  cancel: 30,
  half: 20,
  unread: 20,
  torn: 6,
  fin: 6,
  rst: 6,
  mute: 3,
  kill: 6,
  discard: 10,
}
const ALONE: Readonly<Partial<Record<Way, number>>> = {
  echo: 880,
  late: 40,
  split: 20,
  cancel: 40,
  push: 20,
  torn: 0.3,
  fin: 0.3,
  rst: 0.3,
  mute: 1,
}

/** What a wait, a read or an exchange may end with, beside its answer. */
const ENDS: ReadonlySet<string> = new Set([
  'ABORTED',
  'WAIT_TIMEOUT',
  'READ_TIMEOUT',
  'QUEUE_FULL',
  'CONNECTION_RESET',
  'INCOMPLETE_READ',
  'FRAME_BROKEN',
  'LEASE_GONE',
])

/** Milliseconds: of a wait nobody cuts short, and the longest that a peer is late, or a caller has patience, at random. */
const PATIENCE_MS = 20_000
const LATE_MS = 9
const HASTE_MS = 5
const TIMES_MAX = 12
const TURNS_MAX = 3
const WAIT_CUT_SHARE = 0.01

export type CanaryCallerDeps = {
  readonly pool: Pool
  readonly target: string
  readonly wire: WireName
  readonly random: Random
  readonly findings: Findings
  /** A number that nobody else has, or null where enough was asked. */
  readonly nextOwner: () => number | null
}

export class CanaryCaller {
  readonly #deps: CanaryCallerDeps

  constructor(deps: CanaryCallerDeps) {
    this.#deps = deps
  }

  /** `aloneShare`: of what is asked, the messages without a lease of the caller's own. */
  async run(aloneShare: number): Promise<void> {
    const { random, nextOwner } = this.#deps
    for (let owner = nextOwner(); owner !== null; owner = nextOwner())
      await (random.chance(aloneShare) ? this.#alone(owner) : this.#leased(owner))
  }

  async #leased(owner: number): Promise<void> {
    const { pool, target, random, findings } = this.#deps
    const cut = random.chance(WAIT_CUT_SHARE) ? this.#cancelSoon() : undefined
    const waitMs = random.chance(WAIT_CUT_SHARE) ? random.below(HASTE_MS) : PATIENCE_MS
    try {
      const lease = await pool.lease(target, { tenant: this.#tenant(), waitMs, signal: cut })
      findings.count('leases')
      if (lease.reused) findings.count('reused')
      await this.#hold(lease, owner)
    } catch (error) {
      if (codeOf(error) === 'POOL_EXHAUSTED' && waitMs === 0) findings.count('POOL_EXHAUSTED')
      else this.#ended(error)
    }
  }

  async #hold(lease: Lease, owner: number): Promise<void> {
    const { random, findings } = this.#deps
    const turns = 1 + random.below(TURNS_MAX)
    let way: Way = 'echo'
    for (let turn = 0; turn < turns && way === 'echo'; turn++) {
      way = random.pick(LEASED)
      findings.count(`leased ${way}`)
      const hasAll = await this.#turn(lease, way, owner, turn).catch(error => this.#ended(error))
      if (hasAll !== true && way === 'echo') way = 'discard'
    }
    if (way === 'discard') await lease.discard()
    else await lease.release()
  }

  /** One request and its answer, as far as the caller stays. True where it has the whole of it. */
  async #turn(lease: Lease, way: Way, owner: number, turn: number): Promise<boolean> {
    const { pool, wire, random } = this.#deps
    const stamp = { port: lease.connection.localPort, owner, turn }
    const request = this.#request(way, stamp)
    const bytes = requestBytes(wire, requestText(request))
    if (way === 'half') {
      lease.writer.write(bytes.subarray(0, random.below(bytes.length)))
      if (random.chance(0.5)) await lease.writer.drain({ timeoutMs: PATIENCE_MS })
      return false
    }
    lease.writer.write(bytes)
    if (way === 'unread') return false
    if (way === 'kill') {
      const killed = pool.kill(lease.id)
      await this.#hear(lease, request, {})
      await killed
      return true
    }
    await this.#hear(lease, request, this.#bounds(way))
    return true
  }

  async #hear(lease: Lease, request: StampedRequest, bounds: object): Promise<void> {
    const { wire, findings } = this.#deps
    const { localPort } = lease.connection
    const expected = answerText(request, localPort)
    const { reader } = lease
    try {
      const heard =
        wire === 'resp' ? await reader.readFrame(undefined, bounds) : await reader.readUntil('\n', bounds)
      findings.count('answers')
      if (answerOf(wire, heard) !== expected) this.#foreign(heard, expected)
    } catch (error) {
      const partial = partialOf(error)
      if (partial !== null && !`${expected}\n`.startsWith(headless(partial))) this.#foreign(partial, expected)
      throw error
    }
  }

  async #alone(owner: number): Promise<void> {
    const { pool, target, wire, random, findings } = this.#deps
    // Only where the frame says what answers nobody may a peer push.
    const picked = random.pick(ALONE)
    const way = picked === 'push' && (wire === 'line' || wire === 'dialog') ? 'echo' : picked
    const request = this.#request(way, { port: null, owner, turn: 0 })
    const write = requestBytes(wire, requestText(request), random.below(4))
    const id = wire === 'modbus' ? write.readUInt16BE(0) : 0
    const read = wire === 'dialog' ? ({ line: true } as const) : undefined
    findings.count('messages')
    findings.count(`alone ${way}`)
    try {
      const { data, reused } = await pool.exchange(target, {
        write,
        ...(read && { read }),
        tenant: this.#tenant(),
        ...this.#bounds(way),
      })
      findings.count('answers')
      if (reused) findings.count('reused')
      const answer = answerOf(wire, data)
      const isOwn = answer !== null && portOfAnswer(request, answer) !== null
      if (!isOwn || (wire === 'modbus' && data.readUInt16BE(0) !== id))
        this.#foreign(data, answerText(request, 0))
    } catch (error) {
      const partial = partialOf(error)
      if (partial !== null && partial.length > 0 && !isPartOf(request, headless(partial)))
        this.#foreign(partial, answerText(request, 0))
      this.#ended(error)
    }
  }

  #request(way: Way, stamp: StampedRequest['stamp']): StampedRequest {
    const { random } = this.#deps
    const act: Act =
      way === 'cancel' || way === 'kill'
        ? 'late'
        : way === 'half' || way === 'unread' || way === 'discard'
          ? 'echo'
          : way
    return { act, ms: random.below(LATE_MS), stamp, times: 1 + random.below(TIMES_MAX) }
  }

  /** Who expects no answer, or a late one, may lose patience; all others hear theirs. */
  #bounds(way: Way): { readonly timeoutMs: number; readonly signal?: AbortSignal } {
    const { random } = this.#deps
    if (way === 'cancel') return { timeoutMs: PATIENCE_MS, signal: this.#cancelSoon() }
    if (way === 'late' || way === 'mute') return { timeoutMs: 1 + random.below(HASTE_MS) }
    return { timeoutMs: PATIENCE_MS }
  }

  #cancelSoon(): AbortSignal {
    const controller = new AbortController()
    void sleep(this.#deps.random.below(HASTE_MS)).then(() => controller.abort())
    return controller.signal
  }

  /** Two tenants, one of which comes seldom. */
  #tenant(): string {
    return this.#deps.random.chance(0.03) ? 'rare' : 'often'
  }

  #ended(error: unknown): false {
    const code = codeOf(error)
    const { findings, target } = this.#deps
    findings.count(code)
    if (!ENDS.has(code)) findings.violate(`${target}: ${String(error)}`)
    return false
  }

  #foreign(heard: Buffer, expected: string): void {
    const { findings, target } = this.#deps
    findings.count('foreign answers')
    const told = JSON.stringify(heard.toString('latin1').slice(0, 120))
    findings.violate(`${target}: ${told} was heard for ${expected.slice(0, 120)}`)
  }
}

function codeOf(error: unknown): string {
  return error instanceof SockpoolError ? error.code : String(error)
}

/** What had come of an answer that its peer did not end. */
function partialOf(error: unknown): Buffer | null {
  return error instanceof Error && 'partial' in error && Buffer.isBuffer(error.partial) ? error.partial : null
}

/** The stamps of the beginning of an answer, whatever its wire puts before them. */
function headless(partial: Buffer): string {
  return partial
    .toString('latin1')
    .replace(/^\$\d*\r?\n?/, '')
    .replace(/\r$/, '')
}

/** The peer's port is known from the part itself, once it is there. */
function isPartOf(request: StampedRequest, part: string): boolean {
  const dot = part.indexOf('.')
  return dot === -1 || `${answerText(request, Number(part.slice(0, dot)))}\n`.startsWith(part)
}
