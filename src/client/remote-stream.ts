/**
 * The stream of a lease: reader and writer here, the connection at the service, a WebSocket between them that may be cut and
 * go on. It is opened when somebody needs it. A call that has the service read or write by itself (parse, startTls, release)
 * has the socket go first, in order: then the service knows exactly what was consumed.
 *
 *   idle ─► opening ─► open ─► leaving ─► apart ─► idle          over, from each of them
 *              ▲         │ cut
 *              └─ paused ◄
 */

import { CLIENT_LIMITS } from '../base/client-limits.ts'
import { errorText } from '../base/error-text.ts'
import { SockpoolError } from '../base/errors.ts'
import { Wait, type WaitOptions } from '../base/wait.ts'
import type { StreamEnd } from '../streams/byte-source.ts'
import { afterClose, endAfter, isAway, tlsEnding } from './after-close.ts'
import { onceFree } from './once-free.ts'
import { RemoteSink } from './remote-sink.ts'
import { BROKEN, RemoteSocket } from './remote-socket.ts'
import { RemoteSource } from './remote-source.ts'
import { RetryPlan } from './retry-plan.ts'
import type { ServiceCaller } from './service-caller.ts'

export type RemoteStreamDeps = {
  readonly caller: ServiceCaller
  /** `/v1/leases/ID` */
  readonly path: string
  /** Asks the service how the lease stands, once. Errors: the service's, SERVICE_UNREACHABLE. */
  readonly probe: () => Promise<void>
  /** A socket is open, during which the lease does not expire; or it is not any more. */
  readonly onOpen: (isOpen: boolean) => void
  /** The stream has ended with this error. */
  readonly onFailed: (error: SockpoolError) => void
  /** The writer closes, or aborts, the connection. */
  readonly close: () => Promise<void>
  readonly abort: () => Promise<void>
}

type State =
  | { readonly kind: 'idle' }
  | { readonly kind: 'opening' | 'open' | 'leaving'; readonly socket: RemoteSocket }
  | { readonly kind: 'paused'; readonly timer: ReturnType<typeof setTimeout> }
  | { readonly kind: 'probing' }
  | { readonly kind: 'apart' }
  | { readonly kind: 'over' }

/** Milliseconds after a call of the service's own until the stream is opened again without need: to hear of its end. */
const REOPEN_MS = 100

export class RemoteStream {
  readonly source: RemoteSource
  readonly sink: RemoteSink
  readonly #deps: RemoteStreamDeps
  #state: State = { kind: 'idle' }
  /** Of the cut that is not mended yet. */
  #plan: RetryPlan | null = null
  #changed: PromiseWithResolvers<void> = Promise.withResolvers()
  /** One call apart at a time. */
  #turn: Promise<unknown> = Promise.resolve()
  #isPumpDue = false
  #isClosing = false
  /** Reader or writer were ever asked for. */
  #isTouched = false
  #reopen: ReturnType<typeof setTimeout> | null = null
  /** So many of the bytes that come are here already. */
  #skip = 0

  constructor(deps: RemoteStreamDeps) {
    this.#deps = deps
    this.source = new RemoteSource({ want: () => this.want(), tell: offset => this.#tell(offset) })
    this.sink = new RemoteSink({
      want: () => this.#pumpSoon(),
      close: () => this.#close(),
      abort: () => this.#abort(),
    })
  }

  get isOpen(): boolean {
    return this.#state.kind === 'open'
  }

  /** Somebody may use reader and writer from now on, and hear of their end. */
  touch(): void {
    if (this.#isTouched) return
    this.#isTouched = true
    this.want()
  }

  /** Opens the stream, unless it is open, has ended, or something is in its way. */
  want(): void {
    if (this.#state.kind === 'idle' && this.sink.end === null && !this.#deps.caller.isClosed) this.#open()
  }

  /**
   * Runs a call of the service's that reads or writes there: with everything written accepted, what was read consumed, and
   * no socket open. Errors: those of `run`; of the stream, where it is over; ABORTED, READ_TIMEOUT.
   */
  async apart<T>(name: string, bounds: WaitOptions, run: () => Promise<T>): Promise<T> {
    const before = this.#turn
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#turn = promise
    try {
      await this.#leave(name, bounds, before)
      return await onceFree(run)
    } finally {
      resolve()
      this.#return()
    }
  }

  /** As `apart`, for good: no socket is opened again. */
  async leaveForGood(bounds: WaitOptions): Promise<void> {
    await this.apart('release()', bounds, async () => this.#set({ kind: 'over' }))
  }

  /** Ends reader and writer for their holder; what was written is still sent, and what was read told. */
  revoke(end: StreamEnd): void {
    this.source.finish(end)
    this.sink.finish(end)
  }

  /** Ends everything at once. */
  over(end: StreamEnd): void {
    if (this.#state.kind === 'over') return this.revoke(end)
    this.#drop()
    this.#set({ kind: 'over' })
    this.revoke(end)
    if (end.kind === 'failed' && end.error instanceof SockpoolError) this.#deps.onFailed(end.error)
  }

  #set(state: State): void {
    const wasOpen = this.isOpen
    this.#state = state
    if (wasOpen !== this.isOpen) this.#deps.onOpen(this.isOpen)
    this.#tellChange()
  }

  #tellChange(): void {
    const changed = this.#changed
    this.#changed = Promise.withResolvers()
    changed.resolve()
  }

  /** What is there of a socket or a timer ends, without a word. */
  #drop(): void {
    if (this.#reopen !== null) clearTimeout(this.#reopen)
    this.#reopen = null
    const state = this.#state
    if ('socket' in state) state.socket.drop()
    if ('timer' in state) clearTimeout(state.timer)
  }

  #open(): void {
    this.#drop()
    const { caller, path } = this.#deps
    try {
      const from = `${path}/stream?ack=true&offset=${this.source.resumeOffset}`
      const socket: RemoteSocket = new RemoteSocket(caller.wire, from, {
        begun: (readOffset, writeOffset) => this.#begun(socket, readOffset, writeOffset),
        bytes: bytes => this.#received(bytes),
        accepted: offset => {
          this.sink.accepted(offset)
          this.#tellChange()
        },
        eof: how => {
          if (this.isOpen) this.source.finish({ kind: 'fin', ...tlsEnding(how) })
        },
        closed: (code, reason, isBegun) => this.#closed(code, reason, isBegun),
        silent: () => void this.#silent(socket),
      })
      this.#set({ kind: 'opening', socket })
    } catch (error) {
      this.over({ kind: 'failed', error: new SockpoolError('INTERNAL', errorText(error), { cause: error }) })
    }
  }

  #begun(socket: RemoteSocket, readOffset: number, writeOffset: number): void {
    this.#skip = this.source.received - readOffset
    if (this.#skip < 0) {
      const message = `the stream goes on at ${readOffset}, and all that came before ends at ${this.source.received}`
      return this.over({ kind: 'failed', error: new SockpoolError('OFFSET_GONE', message) })
    }
    this.#plan = null
    this.#set({ kind: 'open', socket })
    this.sink.resume(writeOffset)
    this.#pump()
  }

  /** What comes after the good-bye comes again. */
  #received(bytes: Uint8Array): void {
    if (!this.isOpen) return
    const skipped = Math.min(this.#skip, bytes.length)
    this.#skip -= skipped
    if (skipped < bytes.length) this.source.feed(skipped === 0 ? bytes : bytes.subarray(skipped))
    if (this.source.untold <= CLIENT_LIMITS.streamWindowBytes + CLIENT_LIMITS.streamMessageBytesMax) return
    this.over({
      kind: 'failed',
      error: new SockpoolError('INTERNAL', 'the service sent more than a window holds'),
    })
  }

  #tell(offset: number): boolean {
    if (this.#state.kind !== 'open') return false
    this.#state.socket.sendConsumed(offset)
    return true
  }

  /** What a turn of the event loop writes leaves together. */
  #pumpSoon(): void {
    this.want()
    if (this.#isPumpDue || this.#state.kind !== 'open') return
    this.#isPumpDue = true
    queueMicrotask(() => {
      this.#isPumpDue = false
      this.#pump()
    })
  }

  #pump(): void {
    const state = this.#state
    if (state.kind !== 'open') return
    this.sink.pump(bytes => state.socket.send(bytes))
    if (this.sink.isFinished) state.socket.sendEof()
  }

  #closed(code: number, reason: string, isBegun: boolean): void {
    if (this.#state.kind === 'leaving' && code !== BROKEN) return this.#set({ kind: 'apart' })
    const after = afterClose(code, reason)
    switch (after.kind) {
      case 'ended':
        // The lease is still there, and what was not consumed of the stream is there too.
        this.#set({ kind: 'idle' })
        return this.revoke({ kind: 'closed' })
      case 'failed':
        return this.over({ kind: 'failed', error: after.error, ...(after.isRevoked && { isRevoked: true }) })
      case 'ask':
        return void this.#ask(isBegun)
      case 'cut':
        return isBegun ? this.#again() : void this.#ask(isBegun)
      default:
        after satisfies never
    }
  }

  /** Asks the service why the stream ended, or does not begin; where the lease stands as before it is tried again. */
  async #ask(isBegun: boolean): Promise<void> {
    const state: State = { kind: 'probing' }
    this.#set(state)
    const error = await this.#deps.probe().then(
      () => null,
      failure => failure as SockpoolError,
    )
    if (this.#state !== state) return
    const isAnswer = error !== null && !isAway(error)
    if (isAnswer) return this.over(endAfter(error))
    this.#again(isBegun ? null : error)
  }

  #again(error: SockpoolError | null = null): void {
    this.#plan ??= new RetryPlan(this.#deps.caller.retry)
    const pauseMs = this.#plan.next()
    if (pauseMs === null) return this.over({ kind: 'failed', error: error ?? unreachable() })
    const timer = setTimeout(() => this.#open(), pauseMs)
    this.#set({ kind: 'paused', timer })
  }

  /** Browsers do not tell of pings: there silence may be nothing but silence. */
  async #silent(socket: RemoteSocket): Promise<void> {
    const isAlive =
      !this.#deps.caller.wire.hearsPings &&
      (await this.#deps.probe().then(
        () => true,
        () => false,
      ))
    const state = this.#state
    if (!('socket' in state) || state.socket !== socket) return
    if (isAlive) return socket.alive()
    socket.drop()
    this.#closed(BROKEN, '', true)
  }

  async #leave(name: string, bounds: WaitOptions, before: Promise<unknown>): Promise<void> {
    const wait = new Wait<void>(name, 'READ_TIMEOUT', bounds, () => {})
    const left = before.then(() => this.#untilApart(() => wait.settled))
    left.then(
      () => wait.resolve(),
      error => wait.reject(error),
    )
    await wait.promise
  }

  async #untilApart(isGivenUp: () => boolean): Promise<void> {
    while (!isGivenUp()) {
      const state = this.#state
      const { promise } = this.#changed
      switch (state.kind) {
        case 'apart':
        case 'over':
          return
        case 'idle':
          if (this.sink.pending === 0 && this.source.isToldOf) return this.#set({ kind: 'apart' })
          this.#open()
          continue
        case 'open':
          if (this.sink.pending === 0) this.#sayGoodBye(state.socket)
          break
        default:
      }
      await promise
    }
  }

  #sayGoodBye(socket: RemoteSocket): void {
    this.source.tellAll()
    socket.leave()
    this.#set({ kind: 'leaving', socket })
  }

  /** A call apart is over: the stream may go on. */
  #return(): void {
    if (this.#state.kind !== 'apart') return
    this.#set({ kind: 'idle' })
    if (this.source.isAwaited || this.sink.isAwaited) this.want()
    else if (this.#isTouched) this.#reopen = setTimeout(() => this.want(), REOPEN_MS)
  }

  #close(): void {
    if (this.#isClosing) return
    this.#isClosing = true
    this.#deps.close().then(
      () => this.want(),
      error => this.over(endAfter(error as SockpoolError)),
    )
  }

  #abort(): void {
    this.#isClosing = true
    // The service tells nobody of an end that its caller wanted: here it is one in order.
    this.#drop()
    this.#set({ kind: 'over' })
    const end = (): void => this.revoke({ kind: 'closed' })
    this.#deps.abort().then(end, end)
  }
}

function unreachable(): SockpoolError {
  const message = 'the stream of the lease was cut, and the service cannot be reached'
  return new SockpoolError('SERVICE_UNREACHABLE', message)
}
