/**
 * The parse workers, as the rest of the service sees them. Four kinds of work never share threads, so that none can
 * stop another: complete inputs, whose time is bounded by their size; messages of live connections, which hold a thread
 * only while bytes are there; and users' own blocking code, on a live connection or without one, where they or their
 * peers decide how long it takes. A pool without work has no thread. Inputs that could end more than a thread are given
 * to processes, as `isolation` says, in a queue of their own.
 *
 * A lent reader comes back with its position and unread bytes whatever became of the parse. At the deadline, and when
 * the caller's signal is aborted, the borrower's waits end and it gives the reader back. Only a borrower that does not
 * heed this within LIMITS.parseGraceMs is ended. When its thread was ended or died, nobody knows what was read, and the
 * connection must be closed.
 */
import type { AnswerForm, TextWrap } from '../base/answer-form.ts'
import { DEFAULTS } from '../base/defaults.ts'
import { invariant, SockpoolError } from '../base/errors.ts'
import type { InputPart, PartResult } from '../base/input-part.ts'
import type { Isolation } from '../base/isolation.ts'
import { LIMITS } from '../base/limits.ts'
import type { LongParse, ParseLoad } from '../base/parse-load.ts'
import type { ParsePlace, ParseTally, PlaceTally } from '../base/parse-tally.ts'
import type { ParseThreadRow } from '../base/parse-thread-row.ts'
import type { MessageBatch } from '../base/value-batch.ts'
import { type Parcel, unpackValue } from '../base/value-parcel.ts'
import type { LentSource, LoanResult } from '../streams/channel-ends/lent-source.ts'
import { workerFile } from '../threads/worker-file.ts'
import type { ParseTask } from './formats/parse-task.ts'
import { configureInput, configureMessages, type FormatRef } from './formats/registry.ts'
import { InputParses } from './input-parses.ts'
import { LiveParses } from './live-parses.ts'
import { failed, unwrapped } from './loan-outcome.ts'
import { ProcessEngine } from './process-engine.ts'
import { TaskPool, type TaskPoolStats } from './task-pool.ts'
import { ThreadEngine } from './thread-engine.ts'

export type ParsersOptions = {
  /** Threads of each kind of work at the most, and processes; default 1. */
  readonly workers?: number | undefined
  /** Threads of one kind that one tenant may hold; default: half of them, rounded up. */
  readonly tenantWorkers?: number | undefined
  /** Tasks of each kind that may wait for a thread; default LIMITS.parseQueueMax. */
  readonly queueMax?: number | undefined
  /** Bytes of an input, or of one message; default DEFAULTS.bodyBytesMax. */
  readonly bytesMax?: number | undefined
  /** Milliseconds a call may take that does not say; default DEFAULTS.operationTimeoutMs. */
  readonly timeoutMs?: number | undefined
  /** What bytes are decoded in; default DEFAULTS.parseIsolation. */
  readonly isolation?: Isolation | undefined
  /** Bytes of an input that may be parsed in place; default LIMITS.parseInPlaceBytes, -1: none is. */
  readonly inPlaceBytesMax?: number | undefined
  /** Hears of parses of complete inputs that take long. */
  readonly onProgress?: ((parse: LongParse) => void) | undefined
  /** The parse worker's file, for those who bundle this package; default: the one that comes with it. */
  readonly file?: URL | undefined
  /** Formats beside our own, by name: the `file:` URLs of their modules. */
  readonly formats?: Readonly<Record<string, string>> | undefined
  /** Counts how long parses wait and take; default: nobody does. */
  readonly tally?: ParseTally | undefined
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

/** As ParseCallOptions. `form`: what the value comes back as; default: as itself. */
export type MessageCallOptions = ParseCallOptions & { readonly form?: AnswerForm | undefined }

export type ParsersStats = {
  readonly bytes: TaskPoolStats
  /** Bytes in processes. */
  readonly processes: TaskPoolStats
  /** Messages and users' code on live connections. */
  readonly live: TaskPoolStats
  readonly calls: TaskPoolStats
  /** Messages that nobody waits for on a thread, as the rest of them has not come. */
  readonly parked: number
  /** Inputs so far that were parsed in place. */
  readonly inPlace: number
}

export class Parsers {
  readonly #timeoutMs: number
  readonly #bytesMax: number
  /** The modules of formats that are not our own, by name. */
  readonly #formats: ReadonlyMap<string, string>
  readonly #bytes: TaskPool
  readonly #processes: TaskPool
  readonly #calls: TaskPool
  readonly #inputs: InputParses
  readonly #live: LiveParses

  constructor(options: ParsersOptions = {}) {
    const { workers = DEFAULTS.parseWorkers, queueMax = LIMITS.parseQueueMax } = options
    this.#bytesMax = options.bytesMax ?? DEFAULTS.bodyBytesMax
    const { tenantWorkers = Math.ceil(workers / 2), file = workerFile('parse-worker'), tally } = options
    this.#formats = new Map(Object.entries(options.formats ?? {}))
    this.#timeoutMs = options.timeoutMs ?? DEFAULTS.operationTimeoutMs
    const shared = { file, threadsMax: workers, tenantThreadsMax: tenantWorkers, queueMax }
    const placed = (place: ParsePlace): PlaceTally | null =>
      tally === undefined ? null : { waits: tally.waits, tasks: tally.tasks[place] }
    const threads = (heapMiB?: number): TaskPool =>
      new TaskPool(new ThreadEngine({ ...shared, heapMiB }), {
        ...shared,
        tally: placed('thread'),
      })
    this.#bytes = threads(LIMITS.parseHeapMiB)
    const engine = new ProcessEngine({ file, modules: [...this.#formats.values()] })
    this.#processes = new TaskPool(engine, { ...shared, tally: placed('process') })
    this.#calls = threads()
    const bytesMax = this.#bytesMax
    const apart = { processes: this.#processes, isolation: options.isolation ?? DEFAULTS.parseIsolation }
    this.#live = new LiveParses({ messages: threads(), modules: threads(), ...apart, bytesMax })
    this.#inputs = new InputParses(this.#bytes, { ...options, ...apart, bytesMax })
  }

  /** Judges a format and its options, for a live connection or an input. Errors: FORMAT_NOT_FOUND, INVALID_REQUEST. */
  checkFormat(format: string, options?: unknown, of: 'messages' | 'input' = 'messages'): void {
    if (of === 'messages') configureMessages(this.#refTo(format), options)
    else configureInput(this.#refTo(format), options)
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
    const values = await unpackValue(await this.pack(format, bytes, options, call))
    invariant(Array.isArray(values), 'the worker answers complete input with a list')
    return values
  }

  /** As `parse`, for a thread that is not the one that wants the values. */
  async pack(
    format: string,
    bytes: Uint8Array,
    options?: unknown,
    call: ParseCallOptions = {},
  ): Promise<Parcel> {
    // A copy of its own is transferred: the caller keeps its bytes, and a pooled Buffer's neighbours stay here.
    const asked = { format: this.#refTo(format), options, form: { kind: 'parcel' }, isKept: true } as const
    return (await this.#inputs.complete(asked, bytes, this.#call('parse()', call))) as Parcel
  }

  /**
   * As `parse`, but the values as JSON text with `wrap` around them, in UTF-8. The bytes are given away: their memory goes
   * to the thread that parses. Numbers and keys are as they were written; PARSE_LIMIT for the input's size and nesting alone.
   */
  async write(
    format: string,
    bytes: Uint8Array,
    wrap: TextWrap,
    options?: unknown,
    call: ParseCallOptions = {},
  ): Promise<Uint8Array> {
    const asked = {
      format: this.#refTo(format),
      options,
      form: { kind: 'text', wrap },
      isKept: false,
    } as const
    return (await this.#inputs.complete(asked, bytes, this.#call('parse()', call))) as Uint8Array
  }

  /** One step of a parse whose input comes in parts, as text. Errors: as InputParses.part. */
  async writePart(
    format: string,
    part: InputPart,
    options?: unknown,
    call: ParseCallOptions = {},
  ): Promise<PartResult> {
    return await this.#inputs.part(this.#refTo(format), options, part, this.#call('parse()', call))
  }

  /**
   * The next message of a lent reader. Never rejects.
   *
   * Errors, in the result: those of `parse`, and READ_TIMEOUT (the message did not come in time; nothing is
   *   removed), INCOMPLETE_READ (an empty `partial`: the stream ended between messages), the stream's own. After
   *   ABORTED, PARSE_FAILED and PARSE_LIMIT nothing is removed; `offset` counts from the first unread byte. A message
   *   that was whole when the signal was aborted is the value all the same. Where a process decodes it, it is not, and
   *   after PARSE_TIMEOUT and QUEUE_FULL nothing is removed either.
   */
  async parseMessage(
    lent: LentSource,
    format: string,
    options?: unknown,
    call: MessageCallOptions = {},
  ): Promise<LoanResult> {
    return await this.#live.message(lent, this.#refTo(format), options, this.#call('parse()', call))
  }

  /**
   * The messages at the front of some bytes of a stream, as far as they are whole and right; there may be none. The bytes
   * are given away. Errors: as `parse`, but that no byte of the input is ever wrong.
   */
  async parseBatch(
    format: string,
    bytes: Uint8Array<ArrayBuffer>,
    options?: unknown,
    call: ParseCallOptions = {},
  ): Promise<MessageBatch> {
    return await this.#live.batch(this.#refTo(format), bytes, options, this.#call('parse()', call))
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
    return await this.#live.runOn(lent, href, argument, this.#call('run()', call))
  }

  /** What all kinds of threads have to do, and the processes. */
  get load(): ParseLoad {
    const { bytes, processes, live, calls, parked, inPlace } = this.stats()
    const kinds = [bytes, processes, live, calls]
    return {
      workers: bytes.threadsMax,
      busy: kinds.reduce((all, { running }) => all + running, 0),
      queued: kinds.reduce((all, { waiting }) => all + waiting, parked),
      inPlace,
      long: this.#inputs.long,
    }
  }

  /** The threads that there are just now. */
  rows(): ParseThreadRow[] {
    const [inputs, calls] = [this.#bytes.rows('inputs'), this.#calls.rows('calls')]
    return [...inputs, ...this.#live.rows(), ...calls]
  }

  stats(): ParsersStats {
    const bytes = this.#bytes.stats()
    const processes = this.#processes.stats()
    const { parked } = this.#live
    const live = this.#live.stats()
    return { bytes, processes, live, calls: this.#calls.stats(), parked, inPlace: this.#inputs.inPlace }
  }

  /** Ends all threads and processes; safe to call twice. Running tasks get a moment to finish. */
  async close(): Promise<void> {
    this.#inputs.close()
    const closed = [this.#bytes, this.#processes, this.#calls].map(pool => pool.close())
    await Promise.all([...closed, this.#live.close()])
  }

  /** Callers give names alone: which module a name stands for is said by whoever runs the pool. */
  #refTo(name: string): FormatRef {
    const module = this.#formats.get(name)
    return module === undefined ? String(name) : { name, module }
  }

  #call<Options extends ParseCallOptions>(what: string, options: Options): Options & NamedCall {
    const { timeoutMs = this.#timeoutMs, allowedMs = timeoutMs } = options
    return { ...options, what, timeoutMs, allowedMs }
  }
}

type NamedCall = { readonly what: string; readonly timeoutMs: number; readonly allowedMs: number }

/** Code comes from files alone, never out of a URL that carries it. */
function moduleHref(module: URL | string): string {
  const url = URL.canParse(String(module)) ? new URL(String(module)) : null
  if (url?.protocol !== 'file:')
    throw new SockpoolError('INVALID_REQUEST', 'a module is named by its file: URL')
  return url.href
}
