/**
 * Callers that come all the while, whatever an operator does: some lease a connection, some share one, and some ask a target that
 * is drained and disabled now and then, and know it. Any other failure is told, with what was being changed when it came.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { SockpoolError } from '../../src/base/errors.ts'
import type { Pool } from '../../src/pool/pool.ts'
import { Random } from '../support/fence-random.ts'
import type { Findings } from './findings.ts'

/** `refusing`: the one whose callers expect to be refused. */
export const CHANGED = ['main', 'shared', 'refusing'] as const
export type ChangedTarget = (typeof CHANGED)[number]

const WEIGHTS: Readonly<Record<ChangedTarget, number>> = { main: 6, shared: 3, refusing: 2 }
const REFUSALS: ReadonlySet<string> = new Set(['DRAINING', 'TARGET_PAUSED'])
const CALLERS = 16
const PATIENCE_MS = 20_000

/** The one change that calls may fail in: those that the worker had. */
export const WORKER_DEATH = 'a killed worker'

export class ChangeCallers {
  readonly #pool: Pool
  readonly #findings: Findings
  readonly #random: Random
  readonly #pauseMs: number
  #isOver = false
  #done: Promise<unknown> = Promise.resolve()
  /** Connections that an I/O worker had when it was killed. */
  readonly onLostWorker: Set<string> = new Set()
  /** What is being changed. */
  step = 'nothing'

  /** `perSecond`: calls of all together; Infinity: as many as go. */
  constructor(pool: Pool, findings: Findings, { seed, perSecond }: { seed: number; perSecond: number }) {
    this.#pool = pool
    this.#findings = findings
    this.#random = new Random(seed)
    this.#pauseMs = (1_000 * CALLERS) / perSecond
  }

  begin(): void {
    this.#done = Promise.all(Array.from({ length: CALLERS }, (_, number) => this.#caller(number)))
  }

  async end(): Promise<void> {
    this.#isOver = true
    await this.#done
  }

  async #caller(number: number): Promise<void> {
    for (let turn = 0; !this.#isOver; turn++) {
      const startedMs = performance.now()
      const target = this.#random.pick(WEIGHTS)
      await this.#call(target, `${number} ${turn}\n`)
      const pauseMs = startedMs + this.#pauseMs - performance.now()
      if (pauseMs > 0) await sleep(pauseMs)
    }
  }

  async #call(target: ChangedTarget, line: string): Promise<void> {
    const begun = this.step
    let connection: string | null = null
    try {
      const heard =
        target === 'shared'
          ? (await this.#pool.exchange('shared', { write: line, timeoutMs: PATIENCE_MS })).data
          : await this.#pool.use(
              target,
              async lease => {
                connection = lease.connection.id
                lease.writer.write(line)
                return await lease.reader.readUntil('\n', { timeoutMs: PATIENCE_MS })
              },
              { waitMs: PATIENCE_MS },
            )
      this.#findings.count(`${target}: served`)
      if (heard.toString() !== line) this.#findings.violate(`${target}: ${heard} was heard for ${line}`)
    } catch (error) {
      const code = error instanceof SockpoolError ? error.code : String(error)
      this.#findings.count(`${target}: ${code}`)
      if (!this.#mayFail(target, error, begun, connection))
        this.#findings.violate(`${target}: ${String(error)}, from ${begun} to ${this.step}, on ${connection}`)
    }
  }

  /** A dial, and a call on a shared connection, say themselves that it was the worker. */
  #mayFail(target: ChangedTarget, error: unknown, begun: string, connection: string | null): boolean {
    if (!(error instanceof SockpoolError)) return false
    const { code, reason } = error
    if (target === 'refusing' && REFUSALS.has(code)) return true
    if (connection !== null) return code === 'WORKER_LOST' && this.onLostWorker.has(connection)
    const isOfWorker = code === 'WORKER_LOST' || (code === 'CONNECTION_RESET' && reason === 'worker_lost')
    return isOfWorker && [begun, this.step].includes(WORKER_DEATH)
  }
}
