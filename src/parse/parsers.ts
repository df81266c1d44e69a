/**
 * The parse workers, as the rest of the service sees them. Three kinds of work never share threads, so that none can
 * stop another: complete inputs, whose time is bounded by their size; live connections, where a peer decides how
 * long a read takes; and users' own blocking code without a connection. A pool without work has no thread.
 *
 * A lent reader comes back with its position and unread bytes whatever became of the parse. At the deadline, and when
 * the caller's signal is aborted, the borrower's waits end and it gives the reader back. Only a borrower that does not
 * heed this within LIMITS.parseGraceMs is ended. When its thread was ended or died, nobody knows what was read, and the
 * connection must be closed.
 */
import { type ErrorFields, invariant, reviveError, SockpoolError } from '../base/errors.ts'
import { DEFAULTS, LIMITS } from '../base/limits.ts'
import { aborted } from '../base/wait.ts'
import type { LentSource, LoanResult } from '../streams/channel-ends/lent-source.ts'
import { workerFile } from '../threads/worker-file.ts'
import { type LoanTicket, type ParseReply, type ParseTask, sharedNow } from './formats/parse-task.ts'
import { findFormat } from './formats/registry.ts'
import { Lender } from './lender.ts'
import { TaskPool, type TaskPoolStats } from './task-pool.ts'

export type ParsersOptions = {
  /** Threads of each kind of work at the most; default 1. */
  readonly workers?: number | undefined
  /** Threads of one kind that one tenant may hold; default: half of them, rounded up. */
  readonly tenantWorkers?: number | undefined
  /** Tasks of each kind that may wait for a thread; default LIMITS.parseQueueMax. */
  readonly queueMax?: number | undefined
  /** Milliseconds a call may take that does not say; default DEFAULTS.operationTimeoutMs. */
  readonly timeoutMs?: number | undefined
  /** The parse worker's file, for those who bundle this package; default: the one that comes with it. */
  readonly file?: URL | undefined
}

export type ParseCallOptions = {
  /** Milliseconds the call may take, the wait for a thread included. */
  readonly timeoutMs?: number | undefined
  /** Milliseconds that the caller gave, where `timeoutMs` is what is left of them: errors name these. */
  readonly allowedMs?: number | undefined
  /** Calls off the task. A borrower gives its reader back; without a reader, a thread that runs the task is ended. */
  readonly signal?: AbortSignal | undefined
  /** Whose task it is; default: nobody's, without a share of the threads. */
  readonly tenant?: string | undefined
}

export type ParsersStats = {
  readonly bytes: TaskPoolStats
  readonly live: TaskPoolStats
  readonly calls: TaskPoolStats
}

type Bounds = { readonly timeoutMs: number; readonly allowedMs: number }

export class Parsers {
  readonly #timeoutMs: number
  readonly #bytes: TaskPool
  readonly #live: TaskPool
  readonly #calls: TaskPool

  constructor(options: ParsersOptions = {}) {
    const { workers = DEFAULTS.parseWorkers, queueMax = LIMITS.parseQueueMax } = options
    const { tenantWorkers = Math.ceil(workers / 2), file = workerFile('parse-worker') } = options
    this.#timeoutMs = options.timeoutMs ?? DEFAULTS.operationTimeoutMs
    const shared = { file, threadsMax: workers, tenantThreadsMax: tenantWorkers, queueMax }
    this.#bytes = new TaskPool({ ...shared, heapMiB: LIMITS.parseHeapMiB })
    this.#live = new TaskPool(shared)
    this.#calls = new TaskPool(shared)
  }

  /**
   * All values of a complete input.
   *
   * Errors: FORMAT_NOT_FOUND, INVALID_REQUEST (options), PARSE_FAILED (`offset`, or `reason` if the worker died),
   *   PARSE_LIMIT, PARSE_TIMEOUT, QUEUE_FULL, ABORTED, DRAINING.
   */
  async parse(
    format: string,
    bytes: Uint8Array,
    options?: unknown,
    call: ParseCallOptions = {},
  ): Promise<unknown[]> {
    findFormat(format).configure(options)
    if (!(bytes instanceof Uint8Array)) throw new TypeError('the bytes to parse must be a Uint8Array')
    if (bytes.length > LIMITS.parseInputBytesMax)
      throw new SockpoolError('PARSE_LIMIT', `the input is longer than ${LIMITS.parseInputBytesMax} bytes`, {
        offset: LIMITS.parseInputBytesMax,
      })
    // A copy of its own is transferred: the caller keeps its bytes, and a pooled Buffer's neighbours stay here.
    const copy = new Uint8Array(bytes)
    const reply = await this.#bytes.run(
      { kind: 'bytes', format, options, bytes: copy },
      { ...this.#call('parse()', call), transfer: [copy.buffer] },
    )
    const values = unwrapped(reply)
    invariant(Array.isArray(values), 'the worker answers complete input with a list')
    return values
  }

  /**
   * The next message of a lent reader. Never rejects.
   *
   * Errors, in the result: those of `parse`, and READ_TIMEOUT (the message did not come in time; nothing is
   *   removed), INCOMPLETE_READ (an empty `partial`: the stream ended between messages), the stream's own. After
   *   ABORTED, PARSE_FAILED and PARSE_LIMIT nothing is removed; `offset` counts from the first unread byte. A message
   *   that was whole when the signal was aborted is the value all the same.
   */
  async parseMessage(
    lent: LentSource,
    format: string,
    options?: unknown,
    call: ParseCallOptions = {},
  ): Promise<LoanResult> {
    try {
      findFormat(format).configure(options)
    } catch (error) {
      return { outcome: failed(error), reader: { kind: 'untouched' } }
    }
    return this.#lend(lent, ticket => ({ kind: 'channel', format, options, ticket }), 'parse()', call)
  }

  /**
   * Calls the default function of a module (a `file:` URL) with the argument, on a thread where it may block.
   *
   * Shape: argument and value are structured-cloned.
   * Errors: INVALID_REQUEST (module or argument), PARSE_FAILED with the `cause` the module threw, or with the
   *   `reason` its thread died of; a SockpoolError of the module as it is; PARSE_TIMEOUT, QUEUE_FULL, ABORTED, DRAINING.
   */
  async run(module: URL | string, argument?: unknown, call: ParseCallOptions = {}): Promise<unknown> {
    const task: ParseTask = { kind: 'run', module: moduleHref(module), argument }
    return unwrapped(await this.#calls.run(task, this.#call('run()', call)))
  }

  /** As `run`, for a module whose function takes a BlockingReader before the argument. Never rejects. */
  async runOn(
    lent: LentSource,
    module: URL | string,
    argument?: unknown,
    call: ParseCallOptions = {},
  ): Promise<LoanResult> {
    let href: string
    try {
      href = moduleHref(module)
    } catch (error) {
      return { outcome: failed(error), reader: { kind: 'untouched' } }
    }
    return this.#lend(lent, ticket => ({ kind: 'runOn', module: href, argument, ticket }), 'run()', call)
  }

  stats(): ParsersStats {
    return { bytes: this.#bytes.stats(), live: this.#live.stats(), calls: this.#calls.stats() }
  }

  /** Ends all threads; safe to call twice. Running tasks get a moment to finish. */
  async close(): Promise<void> {
    await Promise.all([this.#bytes.close(), this.#live.close(), this.#calls.close()])
  }

  async #lend(
    lent: LentSource,
    taskFor: (ticket: LoanTicket) => ParseTask,
    what: string,
    options: ParseCallOptions,
  ): Promise<LoanResult> {
    const call = this.#call(what, options)
    const lender = new Lender(lent, sharedNow() + call.timeoutMs, call.allowedMs)
    try {
      const timeoutMs = call.timeoutMs + LIMITS.parseGraceMs
      const recall = (): boolean => lender.recall()
      const reply = await this.#live.run(taskFor(lender.ticket), { ...call, timeoutMs, recall })
      return loanResultOf(reply, what, options.signal)
    } catch (error) {
      if (lender.callOff()) return { outcome: failed(error), reader: { kind: 'untouched' } }
      const threadGone = this.#live.threadGone(lender.borrower)
      return { outcome: failed(error), reader: { kind: 'lost', threadGone } }
    }
  }

  #call(what: string, options: ParseCallOptions): ParseCallOptions & Bounds & { what: string } {
    const { timeoutMs = this.#timeoutMs, allowedMs = timeoutMs } = options
    return { ...options, what, timeoutMs, allowedMs }
  }
}

function loanResultOf(reply: ParseReply, what: string, signal: AbortSignal | undefined): LoanResult {
  const { outcome, returned } = reply
  // The worker itself says that it holds nothing, so nobody has to wait for the end of its thread.
  const reader: LoanResult['reader'] =
    returned === null ? { kind: 'lost', threadGone: Promise.resolve() } : { kind: 'returned', returned }
  if (outcome.ok) return { outcome, reader }
  // To the borrower a recall is a read that ran out of time. An INCOMPLETE_READ stands: the bytes are in the error alone.
  const isRecalled = signal?.aborted && returned?.interrupted && outcome.error.code !== 'INCOMPLETE_READ'
  const error = isRecalled ? aborted(what, signal) : revived(outcome)
  return { outcome: { ok: false, error }, reader }
}

function unwrapped({ outcome }: ParseReply): unknown {
  if (outcome.ok) return outcome.value
  throw revived(outcome)
}

function revived(outcome: { readonly error: ErrorFields; readonly cause?: unknown }): SockpoolError {
  const error = reviveError(outcome.error)
  return 'cause' in outcome ? Object.assign(error, { cause: outcome.cause }) : error
}

function failed(error: unknown): { ok: false; error: SockpoolError } {
  return { ok: false, error: SockpoolError.from(error) }
}

/** Code comes from files alone, never out of a URL that carries it. */
function moduleHref(module: URL | string): string {
  const url = URL.canParse(String(module)) ? new URL(String(module)) : null
  if (url?.protocol !== 'file:')
    throw new SockpoolError('INVALID_REQUEST', 'a module is named by its file: URL')
  return url.href
}
