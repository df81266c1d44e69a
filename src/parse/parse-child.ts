/**
 * One parse process, and the conversation with it. It runs on the thread that owns the pool, and does little in a turn:
 * bytes go out and come in by pieces, and are copied at the most once.
 *
 *   living ──kill, or what cannot be understood──► ending ──► gone
 *     └──its own end──────────────────────────────────────────►
 */
import type { ChildProcess } from 'node:child_process'
import type { Duplex } from 'node:stream'
import { deserialize, serialize } from 'node:v8'
import { invariant, type SockpoolError } from '../base/errors.ts'
import { giveBackMemory } from '../base/large-memory.ts'
import { LIMITS } from '../base/limits.ts'
import type { Parcel } from '../base/value-parcel.ts'
import { type ChildCode, startChild } from './child-launch.ts'
import { CHILD_PIPE, type FrameKind, FrameReader, frameHead } from './formats/child-frames.ts'
import type { ApartTask, ParseReply, TaskOutcome } from './formats/parse-task.ts'
import { type Death, died, notStarted } from './worker-death.ts'

/** The pool's end of a pipe. */
type Pipe = Duplex & { ref(): void; unref(): void }

/** A task that the process has, and what has come of its answer. */
type Asked = {
  readonly task: ApartTask
  readonly parts: Buffer[]
  readonly resolve: (reply: ParseReply) => void
  readonly reject: (error: SockpoolError) => void
}

export class ParseChild {
  readonly #process: ChildProcess
  /** Null where the process could not be started for want of descriptors. */
  readonly #pipe: Pipe | null
  readonly #gone = Promise.withResolvers<void>()
  #state: 'living' | 'ending' | 'gone' = 'living'
  /** Whether it has said that it is ready; before, its end says nothing of the bytes. */
  #hasStarted = false
  #asked: Asked | null = null
  /** What the process has said of its end, the beginning of it. */
  #lastWords = ''
  /** Why it was ended by us, where no caller wished it. */
  #fault: Error | null = null

  /** Errors: that of the spawn. */
  constructor(code: ChildCode) {
    this.#process = startChild(code, LIMITS.parseHeapMiB)
    this.#process.on('error', error => {
      this.#fault ??= error
      if (this.#process.pid === undefined) this.#end(null, null)
    })
    const pipes: ChildProcess['stdio'] | undefined = this.#process.stdio
    const reader = new FrameReader((kind, body) => this.#onFrame(kind, body))
    this.#pipe = (pipes?.[CHILD_PIPE] ?? null) as Pipe | null
    this.#pipe?.on('data', (chunk: Buffer) => this.#guard(() => reader.push(chunk)))
    // The end of the process tells more of it.
    this.#pipe?.on('error', error => this.#fail(error))
    this.#process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#lastWords = (this.#lastWords + text).slice(0, LIMITS.parseLastWordsChars)
    })
    // Not at its exit: what it said last is read first.
    this.#process.on('close', (code, signal) => this.#end(code, signal))
  }

  /** Resolves when the process is there no more; never rejects. */
  get gone(): Promise<void> {
    return this.#gone.promise
  }

  /** Whether it can be given a task. */
  get isFree(): boolean {
    return this.#asked === null && this.#state === 'living'
  }

  /**
   * Performs the task; one at a time. The memory of the task's bytes is given back where it is large.
   *
   * Errors: QUEUE_FULL where the process did not start, PARSE_FAILED where it died, also because of `kill`.
   */
  perform(task: ApartTask): Promise<ParseReply> {
    invariant(this.isFree, 'a parse process has one task at a time')
    this.#hold(true)
    const { promise, resolve, reject } = Promise.withResolvers<ParseReply>()
    this.#asked = { task, parts: [], resolve, reject }
    this.#send(task).catch((error: unknown) => this.#fail(error))
    return promise
  }

  /** Ends the process at once. Safe to call twice. */
  kill(): void {
    if (this.#state === 'gone') return
    this.#state = 'ending'
    // Whoever waits for its end may have nothing else to wait for.
    this.#hold(true)
    this.#process.kill('SIGKILL')
  }

  /** Whether this process waits for the other: not while it rests. */
  #hold(isBusy: boolean): void {
    for (const handle of [this.#process, this.#pipe, this.#process.stderr as Pipe | null]) {
      if (isBusy) handle?.ref()
      else handle?.unref()
    }
  }

  async #send({ bytes, ...rest }: ApartTask): Promise<void> {
    const ask = serialize(rest)
    await this.#write(frameHead('ask', ask.length))
    await this.#write(ask)
    await this.#write(frameHead('input', bytes.length))
    for (let start = 0; start < bytes.length; start += LIMITS.parsePipePieceBytes)
      await this.#write(bytes.subarray(start, start + LIMITS.parsePipePieceBytes))
    giveBackMemory(bytes)
  }

  #write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#pipe?.write(bytes, error => (error ? reject(error) : resolve()))
    })
  }

  #onFrame(kind: FrameKind, body: Buffer): void {
    const asked = this.#asked
    if (kind === 'ready') this.#hasStarted = true
    else if (kind === 'part' && asked) asked.parts.push(body)
    else if (kind === 'outcome' && asked) this.#reply(asked, deserialize(body) as TaskOutcome)
    else throw new Error(`a parse process sends ${kind} unasked`)
  }

  #reply({ task, parts, resolve }: Asked, outcome: TaskOutcome): void {
    this.#asked = null
    this.#hold(false)
    resolve({
      outcome: outcome.ok ? { ok: true, value: joined(task, outcome.value, parts) } : outcome,
      returned: null,
    })
  }

  #guard(use: () => void): void {
    try {
      use()
    } catch (error) {
      this.#fail(error)
    }
  }

  /** The conversation has gone wrong, so nothing that the process says counts any more. */
  #fail(error: unknown): void {
    this.#fault ??= error instanceof Error ? error : new Error(String(error))
    this.kill()
  }

  #end(code: number | null, signal: NodeJS.Signals | null): void {
    const asked = this.#asked
    this.#asked = null
    this.#state = 'gone'
    const cause =
      this.#process.pid === undefined
        ? this.#fault
        : new Error(`the parse process ended (${signal ?? code}): ${this.#lastWords}`, { cause: this.#fault })
    asked?.reject(this.#hasStarted ? died(this.#deathOf(signal), cause) : notStarted('process', cause, true))
    this.#gone.resolve()
  }

  #deathOf(signal: NodeJS.Signals | null): Death {
    if (/out of memory/i.test(this.#lastWords)) return 'out_of_memory'
    return signal === null ? 'exited' : 'crashed'
  }
}

/** The value of an answer: the text, or the Parcel with its pieces, which came as parts. */
function joined({ form }: ApartTask, value: unknown, parts: readonly Buffer[]): unknown {
  const pieces = parts.map(({ buffer, byteOffset, length }) => new Uint8Array(buffer, byteOffset, length))
  if (form.kind === 'text') return pieces[0]
  const parcel = value as Parcel
  return parcel.kind === 'whole' ? parcel : { ...parcel, pieces }
}
