/**
 * Callers of a Redis that is not always there. An answer is their own or none, and a failure says truly whether anything of the
 * call was sent: only what was not may be repeated.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { SockpoolError } from '../../src/base/errors.ts'
import type { Pool } from '../../src/pool/pool.ts'
import type { Findings } from './findings.ts'

export const REDIS_TARGETS = ['leased', 'shared'] as const
export type RedisTarget = (typeof REDIS_TARGETS)[number]

/** What is done to the server: nothing, connections are killed, or it is not there. */
export type RedisTrouble = 'none' | 'kills' | 'down'

export const CALLERS: Readonly<Record<RedisTarget, number>> = { leased: 12, shared: 8 }

/** A call that was under way, or a dialog. */
const CUT = ['CONNECTION_RESET', 'INCOMPLETE_READ', 'DIALOG_FAILED', 'CONNECT_FAILED'] as const
const ENDS: Readonly<Record<RedisTrouble, ReadonlySet<string>>> = {
  none: new Set(),
  kills: new Set(CUT),
  down: new Set([...CUT, 'CONNECT_REFUSED', 'BREAKER_OPEN']),
}
/** Codes of calls that were written, at least in part. */
const SENT: ReadonlySet<string> = new Set(['CONNECTION_RESET', 'INCOMPLETE_READ'])
const PATIENCE_MS = 20_000
/** Milliseconds that a caller leaves the server alone after a failure. */
const REST_MS = 5

export class RedisCallers {
  readonly #pool: Pool
  readonly #findings: Findings
  #isOver = false
  #done: Promise<unknown> = Promise.resolve()
  trouble: RedisTrouble = 'none'

  constructor(pool: Pool, findings: Findings) {
    this.#pool = pool
    this.#findings = findings
  }

  begin(): void {
    const all = REDIS_TARGETS.flatMap(target =>
      Array.from({ length: CALLERS[target] }, (_, number) => this.#caller(target, number)),
    )
    this.#done = Promise.all(all)
  }

  async end(): Promise<void> {
    this.#isOver = true
    await this.#done
  }

  async #caller(target: RedisTarget, number: number): Promise<void> {
    for (let turn = 0; !this.#isOver; turn++) {
      const text = `${target}-${number}-${turn}`
      const isServed = await this.#call(target, text, turn % 3 === 0)
      if (!isServed) await sleep(REST_MS)
    }
  }

  /** `byLease`: by a lease of its own, where that is not what every call is. */
  async #call(target: RedisTarget, text: string, byLease: boolean): Promise<boolean> {
    const begun = this.trouble
    const write = `*2\r\n$4\r\nECHO\r\n$${text.length}\r\n${text}\r\n`
    try {
      const heard =
        byLease && target === 'leased' ? await this.#lease(write) : await this.#exchange(target, write)
      this.#findings.count(`${target}: served`)
      if (heard === `$${text.length}\r\n${text}\r\n`) return true
      this.#findings.count('wrong answers')
      this.#findings.violate(`${target}: ${JSON.stringify(heard)} was heard for ${text}`)
    } catch (error) {
      this.#failed(target, error, begun, byLease && target === 'leased' ? null : write.length)
    }
    return false
  }

  async #exchange(target: RedisTarget, write: string): Promise<string> {
    return (await this.#pool.exchange(target, { write, timeoutMs: PATIENCE_MS })).data.toString()
  }

  async #lease(write: string): Promise<string> {
    const bounds = { timeoutMs: PATIENCE_MS }
    const answer = await this.#pool.use(
      'leased',
      async ({ reader, writer }) => {
        writer.write(write)
        return await reader.readFrame(undefined, bounds)
      },
      { waitMs: PATIENCE_MS },
    )
    return answer.toString()
  }

  /** `length`: bytes of an exchange, which says of itself how many were accepted; null of a lease. */
  #failed(target: RedisTarget, error: unknown, begun: RedisTrouble, length: number | null): void {
    const { trouble } = this
    const findings = this.#findings
    const code = error instanceof SockpoolError ? error.code : String(error)
    findings.count(`${target}: ${code} at ${trouble}`)
    const told = `${target}: ${String(error)}, from ${begun} to ${trouble}`
    if (!ENDS[begun].has(code) && !ENDS[trouble].has(code)) findings.violate(told)
    if (SENT.has(code)) findings.count(`${target}: cut`)
    if (!(error instanceof SockpoolError) || length === null) return
    const { bytesAccepted = 0, retryable } = error
    const isTrue = SENT.has(code) ? bytesAccepted === 0 || bytesAccepted === length : bytesAccepted === 0
    if (!isTrue) findings.violate(`${told}: ${bytesAccepted} of ${length} bytes were accepted`)
    if (retryable !== (bytesAccepted === 0)) findings.violate(`${told}: retryable is ${retryable}`)
  }
}
