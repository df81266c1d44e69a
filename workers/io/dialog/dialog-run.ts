/**
 * One dialog under way on a connection: its steps are taken in turn, and while it runs, the connection hands it all that
 * arrives.
 *
 *   between ─┬─ expect ─► matching ─┬─► between     bytes that come when none is awaited wait for the next step
 *            └─ wait, tls ─► busy ──┘
 *   each of them ─► over                            what is unread then came behind the last expected byte
 *
 * The first thing that speaks against it ends it. Errors name the step, from 1, and why; never what came or was awaited.
 */
import { ChunkList } from '../../../src/base/chunk-list.ts'
import type { Dialog, DialogStep, Expectation } from '../../../src/base/dialog-data.ts'
import { SockpoolError } from '../../../src/base/errors.ts'
import { LIMITS } from '../../../src/base/limits.ts'
import { Wait } from '../../../src/base/wait.ts'
import type { Frame } from '../../../src/frames/frame.ts'
import type { TlsClient } from '../../../src/threads/protocol.ts'
import { CountMatcher, ExactMatcher } from './byte-matchers.ts'
import { Captures } from './captures.ts'
import { FrameMatcher } from './frame-matcher.ts'
import { LineMatcher } from './line-matcher.ts'
import { PatternMatcher } from './pattern-matcher.ts'
import { StepFault, type StepMatcher } from './step-matcher.ts'

/** What a dialog needs of its connection. */
export interface DialogLine {
  /** `sent`: called once the kernel has them, or the connection is gone. */
  send(bytes: Uint8Array, sent?: () => void): void
  /** Resolves once the kernel has all that was sent, and nothing that it had has yet to be read. */
  settle(): Promise<void>
  /** Goes on over TLS. Errors: TLS_FAILED, CONNECTION_RESET. */
  startTls(tls: TlsClient, timeoutMs: number): Promise<void>
}

/** A dialog as its connection sees it. */
export interface DialogUnderWay {
  /** Resolves after the last step. Errors: DIALOG_FAILED, STARTTLS_INJECTION, both with the step. */
  readonly done: Promise<void>
  readonly isOver: boolean
  /** What came behind the last expected byte, in order. */
  readonly leftover: Iterable<Buffer>
  received(bytes: Buffer): void
  /** Something else has ended it. */
  fail(reason: string): void
}

export type DialogRunDeps = {
  readonly line: DialogLine
  /** The target's. */
  readonly frame: () => Promise<Frame>
  /** Milliseconds for all of it. */
  readonly timeoutMs: number
}

type Turn =
  | { readonly at: 'between' | 'over' }
  | { readonly at: 'matching'; readonly matcher: StepMatcher; readonly wait: Wait<void> }
  | { readonly at: 'busy'; readonly wait: Wait<void> }

export class DialogRun implements DialogUnderWay {
  readonly done: Promise<void>
  readonly #deps: DialogRunDeps
  readonly #deadlineMs: number
  readonly #captures = new Captures()
  /** What came and no step has looked at. */
  readonly #unread = new ChunkList()
  #turn: Turn = { at: 'between' }
  /** The number of the step under way, from 1. */
  #step = 0
  #failure: Error | null = null

  constructor(steps: Dialog, deps: DialogRunDeps) {
    this.#deps = deps
    this.#deadlineMs = performance.now() + deps.timeoutMs
    this.done = this.#play(steps)
    // Whoever began it may be gone when it fails.
    this.done.catch(() => {})
  }

  get isOver(): boolean {
    return this.#turn.at === 'over'
  }

  get leftover(): Iterable<Buffer> {
    return this.#unread.views()
  }

  received(bytes: Buffer): void {
    if (this.#turn.at === 'matching') this.#match(this.#turn, bytes)
    else if (this.#unread.length + bytes.length <= LIMITS.dialogStepBytesMax) this.#unread.append(bytes)
    else this.fail('too_long')
  }

  fail(reason: string): void {
    if (this.isOver) return
    this.#failure ??= this.#failed(reason)
    if ('wait' in this.#turn) this.#turn.wait.reject(this.#failure)
  }

  async #play(steps: Dialog): Promise<void> {
    try {
      for (const step of steps) {
        this.#step++
        if (this.#captures.meets(step.when)) await this.#take(step)
        if (this.#failure !== null) throw this.#failure
      }
    } catch (error) {
      throw this.#told(error)
    } finally {
      this.#turn = { at: 'over' }
    }
  }

  async #take(step: DialogStep): Promise<void> {
    switch (step.kind) {
      case 'send':
        return this.#deps.line.send(this.#captures.fill(step.bytes))
      case 'expect': {
        const matcher = await this.#matcherOf(step.what)
        await this.#await(matcher, step.timeoutMs)
        if (step.capture !== null) this.#captures.set(step.capture, matcher.captured)
        return
      }
      case 'tls':
        return await this.#busy(step.timeoutMs, () => this.#startTls(step.tls, step.timeoutMs))
      case 'wait':
        return await this.#pause(step.ms)
      default:
        return step satisfies never
    }
  }

  async #matcherOf(what: Expectation): Promise<StepMatcher> {
    switch (what.kind) {
      case 'bytes':
        return new ExactMatcher(this.#captures.fill(what.bytes))
      case 'prefix':
        return new LineMatcher(this.#captures.fill(what.bytes))
      case 'pattern':
        return new PatternMatcher(what.pattern)
      case 'count':
        return new CountMatcher(what.count)
      case 'line':
        return new LineMatcher(Buffer.alloc(0))
      case 'frame':
        return new FrameMatcher((await this.#deps.frame()).answers())
      default:
        return what satisfies never
    }
  }

  async #await(matcher: StepMatcher, timeoutMs: number): Promise<void> {
    const turn = { at: 'matching', matcher, wait: this.#wait(timeoutMs) } as const
    this.#turn = turn
    this.#match(turn, this.#unread.takeAll())
    await turn.wait.promise
  }

  /** What is behind the match waits for the next step. */
  #match({ matcher, wait }: Extract<Turn, { readonly at: 'matching' }>, bytes: Buffer): void {
    try {
      const rest = matcher.take(bytes)
      if (rest === null) return
      this.#turn = { at: 'between' }
      this.#unread.append(rest)
      wait.resolve()
    } catch (error) {
      this.#failure ??= this.#told(error)
      wait.reject(this.#failure)
    }
  }

  async #pause(ms: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const work = (): Promise<void> =>
      new Promise(resolve => {
        timer = setTimeout(resolve, ms)
      })
    try {
      await this.#busy(Number.POSITIVE_INFINITY, work)
    } finally {
      clearTimeout(timer)
    }
  }

  async #busy(timeoutMs: number, work: () => Promise<void>): Promise<void> {
    const wait = this.#wait(timeoutMs)
    this.#turn = { at: 'busy', wait }
    work().then(
      () => wait.resolve(),
      error => wait.reject(error),
    )
    await wait.promise
    this.#turn = { at: 'between' }
  }

  /** A server that agreed to TLS waits for its client's first word; bytes before that are somebody else's. */
  async #startTls(tls: TlsClient, timeoutMs: number): Promise<void> {
    this.#refuseEarly()
    await this.#deps.line.settle()
    this.#refuseEarly()
    if (this.#failure === null) await this.#deps.line.startTls(tls, timeoutMs)
  }

  #refuseEarly(): void {
    const count = this.#unread.length
    if (count === 0) return
    const message = `step ${this.#step} of the dialog failed: ${count} bytes of plain text came before the TLS handshake`
    throw new SockpoolError('STARTTLS_INJECTION', message, { step: this.#step })
  }

  /** Errors: the failure of the dialog, where it has failed already. */
  #wait(timeoutMs: number): Wait<void> {
    if (this.#failure !== null) throw this.#failure
    const left = Math.max(0, this.#deadlineMs - performance.now())
    const bounds = { timeoutMs: Math.min(timeoutMs, left) }
    return new Wait<void>('a step of the dialog', 'DIALOG_FAILED', bounds, () => this.fail('timeout'))
  }

  #told(error: unknown): Error {
    if (this.#failure !== null) return this.#failure
    if (error instanceof StepFault) return this.#failed(error.reason)
    if (!(error instanceof SockpoolError)) return SockpoolError.from(error)
    switch (error.code) {
      case 'TLS_FAILED':
        // What TLS has against the peer is no secret.
        return this.#failed(error.reason ?? 'tls', error)
      case 'CONNECTION_RESET':
        return this.#failed('closed')
      default:
        return error.add({ step: this.#step })
    }
  }

  #failed(reason: string, cause?: Error): SockpoolError {
    const why = cause === undefined ? reason : cause.message
    const details = { step: this.#step, reason, ...(cause === undefined ? {} : { cause }) }
    return new SockpoolError('DIALOG_FAILED', `step ${this.#step} of the dialog failed: ${why}`, details)
  }
}
