/**
 * Bytes of live connections: the next message, many of them at a time, and whatever a user's module makes of them. Messages
 * and modules have threads of their own, as a module may hold its thread for as long as it likes.
 */
import type { AnswerForm } from '../base/answer-form.ts'
import type { Isolation } from '../base/isolation.ts'
import { LIMITS } from '../base/limits.ts'
import type { ParseThreadRow } from '../base/parse-thread-row.ts'
import type { MessageBatch } from '../base/value-batch.ts'
import { type Parcel, unpackValue } from '../base/value-parcel.ts'
import type { LentSource, LoanResult } from '../streams/channel-ends/lent-source.ts'
import { type ParseTask, sharedNow } from './formats/parse-task.ts'
import { configureMessages, type FormatRef } from './formats/registry.ts'
import { Lender } from './lender.ts'
import { failed, loanResultOf, unwrapped } from './loan-outcome.ts'
import { MessageTurns } from './message-turns.ts'
import { draining, type TaskPool, type TaskPoolStats } from './task-pool.ts'
import type { TaskCall } from './task-record.ts'
import { THREAD_BYTES_MAX } from './thread-bytes.ts'

export type LiveParsesDeps = {
  readonly messages: TaskPool
  /** Users' code. */
  readonly modules: TaskPool
  /** Where messages are decoded that no thread is to have. */
  readonly processes: TaskPool
  readonly isolation: Isolation
  /** Bytes of one message. */
  readonly bytesMax: number
}

/** The whole call. `allowedMs`: what its errors name. */
type LiveCall = TaskCall & { readonly allowedMs: number }

export class LiveParses {
  readonly #deps: LiveParsesDeps
  readonly #turns: MessageTurns

  constructor(deps: LiveParsesDeps) {
    const { messages, processes, isolation, bytesMax } = deps
    this.#deps = deps
    const decodeBytesMax = THREAD_BYTES_MAX[isolation]
    this.#turns = new MessageTurns({ pool: messages, processes, decodeBytesMax, bytesMax })
  }

  /** Messages that nobody waits for on a thread, as the rest of them has not come. */
  get parked(): number {
    return this.#turns.parked
  }

  /** As Parsers.parseMessage. */
  async message(
    lent: LentSource,
    format: FormatRef,
    options: unknown,
    { form, ...call }: LiveCall & { readonly form?: AnswerForm | undefined },
  ): Promise<LoanResult> {
    try {
      configureMessages(format, options)
    } catch (error) {
      return { outcome: failed(error), reader: { kind: 'untouched' } }
    }
    const result = await this.#turns.read(lent, { format, options, form: form ?? { kind: 'parcel' } }, call)
    const { outcome, reader } = result
    if (!outcome.ok || form !== undefined) return result
    return { outcome: { ok: true, value: await unpackValue(outcome.value as Parcel) }, reader }
  }

  /** As Parsers.parseBatch. */
  async batch(
    format: FormatRef,
    bytes: Uint8Array<ArrayBuffer>,
    options: unknown,
    call: LiveCall,
  ): Promise<MessageBatch> {
    configureMessages(format, options)
    // A thread is to decode none of them: each is read on its own, and a process has it.
    if (this.#deps.isolation === 'process') return { lengths: new Uint32Array(), parts: [] }
    const task: ParseTask = { kind: 'batch', format, options, bytes }
    return unwrapped(
      await this.#deps.messages.run(task, { ...call, transfer: [bytes.buffer] }),
    ) as MessageBatch
  }

  /** As Parsers.runOn; `module` is a `file:` URL. */
  async runOn(lent: LentSource, module: string, argument: unknown, call: LiveCall): Promise<LoanResult> {
    const lender = new Lender(lent, sharedNow() + call.timeoutMs, call.allowedMs)
    const task: ParseTask = { kind: 'runOn', module, argument, ticket: lender.ticket }
    try {
      const timeoutMs = call.timeoutMs + LIMITS.parseGraceMs
      const recall = (): boolean => lender.recall()
      return loanResultOf(
        await this.#deps.modules.run(task, { ...call, timeoutMs, recall }),
        call.what,
        call.signal,
      )
    } catch (error) {
      if (lender.callOff()) return { outcome: failed(error), reader: { kind: 'untouched' } }
      const threadGone = this.#deps.modules.threadGone(lender.borrower)
      return { outcome: failed(error), reader: { kind: 'lost', threadGone } }
    }
  }

  rows(): ParseThreadRow[] {
    const { messages, modules } = this.#deps
    return [...messages.rows('messages'), ...modules.rows('modules')]
  }

  stats(): TaskPoolStats {
    const { messages, modules } = this.#deps
    return sum(messages.stats(), modules.stats())
  }

  async close(): Promise<void> {
    const { messages, modules } = this.#deps
    const closed = [messages.close(), modules.close()]
    this.#turns.close(draining())
    await Promise.all(closed)
  }
}

function sum(one: TaskPoolStats, other: TaskPoolStats): TaskPoolStats {
  const names = Object.keys(one) as (keyof TaskPoolStats)[]
  return Object.fromEntries(names.map(name => [name, one[name] + other[name]])) as TaskPoolStats
}
