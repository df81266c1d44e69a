/**
 * An attached thread's line to its pool: requests and their replies, asynchronous or blocking. Both kinds use one port,
 * so a blocking call also delivers what has come for the others; their promises settle when the thread is free again.
 *
 * The line keeps its thread alive while a request is awaited or somebody holds it, not by being there.
 */
import {
  MessageChannel,
  type MessagePort,
  postMessageToThread,
  receiveMessageOnPort,
} from 'node:worker_threads'
import { type GoneReason, reviveError, SockpoolError } from '../base/errors.ts'
import { FaultGuard } from '../base/fault-guard.ts'
import { LIMITS } from '../base/limits.ts'
import { aborted } from '../base/wait.ts'
import { Pulse, ReplyBell } from '../channel/attach-words.ts'
import type { DoorbellMemory } from '../channel/doorbell.ts'
import type {
  FromPool,
  FromThread,
  HelloMessage,
  OutcomeData,
  PoolHandle,
  ReleaseMessage,
  RequestData,
  RequestMessage,
  RequestName,
} from './attach-protocol.ts'
import { currentThreadId } from './current-thread.ts'

export type AttachLineDeps = {
  readonly handle: PoolHandle
  readonly doorbell: DoorbellMemory
  /** The pool has ended a lease. */
  readonly onEnded: (lease: number, reason: GoneReason) => void
  /** Nothing is answered any more. */
  readonly onLost: (error: SockpoolError) => void
  /** What came from the pool could not be heard out: a fault of ours. */
  readonly onFault: (error: unknown) => void
}

type Outcome = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: Error }

export class AttachLine {
  readonly #deps: AttachLineDeps
  readonly #port: MessagePort
  readonly #pulse: Pulse
  readonly #bell = new ReplyBell()
  readonly #pending = new Map<number, (outcome: Outcome) => void>()
  readonly #watch: NodeJS.Timeout
  #isWelcome = false
  #lost: SockpoolError | null = null
  #next = 1
  #holds = 0
  #beats: number
  #lookedMs = performance.now()
  /** Looks since the thread of the pool last showed life. They count, not the clock: it ran on while all stood still. */
  #silentLooks = 0

  /** Errors: WOULD_DEADLOCK on the pool's own thread. */
  constructor(deps: AttachLineDeps) {
    const { handle, doorbell } = deps
    if (handle.threadId === currentThreadId())
      throw new SockpoolError(
        'WOULD_DEADLOCK',
        'the thread that created a pool cannot attach to it: it would wait for itself',
      )
    this.#deps = deps
    this.#pulse = new Pulse(handle.pulse)
    this.#beats = this.#pulse.beats
    const { port1, port2 } = new MessageChannel()
    this.#port = port1
    // A message that cannot be heard out may have settled what it was about or not: what is asked again is answered.
    const guard = new FaultGuard(deps.onFault)
    port1.on(
      'message',
      guard.action((message: FromPool) => this.#received(message)),
    )
    port1.on(
      'close',
      guard.action(() => this.#lose(gone())),
    )
    port1.unref()
    const hello: HelloMessage = {
      kind: 'sockpool.hello',
      pool: handle.pool,
      port: port2,
      doorbell,
      bell: this.#bell.memory,
    }
    postMessageToThread(handle.threadId, hello, [port2]).catch(() => this.#lose(gone()))
    const watch = guard.action(() => {
      // The welcome may be there, unheard by a thread that was busy.
      this.#deliver()
      if (this.#isWelcome) clearInterval(this.#watch)
      else this.#look()
    })
    this.#watch = setInterval(watch, LIMITS.sweepIntervalMs).unref()
  }

  /** Another number once what the pool's targets are has changed. */
  get changes(): number {
    return this.#pulse.changes
  }

  /** Asks and awaits the reply. Errors: the pool's; ABORTED, DRAINING, NOT_READY, WORKER_LOST. */
  async request<Name extends RequestName>(
    name: Name,
    data: RequestData[Name],
    signal?: AbortSignal,
  ): Promise<unknown> {
    if (signal?.aborted) throw aborted(`the ${name} request`, signal)
    const request = this.#next++
    const cancel = (): void => this.post({ kind: 'cancel', request })
    signal?.addEventListener('abort', cancel, { once: true })
    try {
      return await this.#ask({ kind: 'request', request, name, data } as RequestMessage)
    } catch (error) {
      // The pool cannot know the caller's own reason.
      const isOurs = error instanceof SockpoolError && error.code === 'ABORTED' && signal?.aborted
      throw isOurs ? aborted(`the ${name} request`, signal) : error
    } finally {
      signal?.removeEventListener('abort', cancel)
    }
  }

  /** As `request`, but blocks this thread for the reply. */
  requestSync<Name extends RequestName>(name: Name, data: RequestData[Name]): unknown {
    const request = this.#next++
    return this.#askSync({ kind: 'request', request, name, data } as RequestMessage)
  }

  /** Lets go of a lease and awaits what becomes of it. */
  release(message: Omit<ReleaseMessage, 'kind' | 'request'>): Promise<unknown> {
    return this.#ask({ kind: 'release', request: this.#next++, ...message })
  }

  releaseSync(message: Omit<ReleaseMessage, 'kind' | 'request'>): unknown {
    return this.#askSync({ kind: 'release', request: this.#next++, ...message })
  }

  /** Says something that has no reply, or whose reply nobody awaits. */
  post(message: FromThread): void {
    if (this.#lost === null) this.#port.postMessage(message)
  }

  /** Keeps the thread alive until `letGo` was called as often. */
  hold(): void {
    if (this.#holds++ === 0) this.#port.ref()
  }

  letGo(): void {
    if (--this.#holds === 0) this.#port.unref()
  }

  /** To be called by whoever blocks, now and then. Errors: WORKER_LOST when the pool's thread shows no life. */
  assertAlive(): void {
    this.#look()
    if (this.#silentLooks * LIMITS.sweepIntervalMs <= LIMITS.poolSilenceMs) return
    const silent = new SockpoolError(
      'WORKER_LOST',
      `the thread of the pool is silent for ${LIMITS.poolSilenceMs} ms`,
    )
    this.#lose(silent)
    throw silent
  }

  /** Lets go of the pool. What was posted before still arrives. */
  close(): void {
    this.#lose(new SockpoolError('DRAINING', 'this thread has let go of the pool'))
    this.#port.close()
  }

  #ask(message: RequestMessage | (ReleaseMessage & { readonly request: number })): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    this.hold()
    this.#send(message, outcome => {
      this.letGo()
      if (outcome.ok) resolve(outcome.value)
      else reject(outcome.error)
    })
    return promise
  }

  #askSync(message: RequestMessage | (ReleaseMessage & { readonly request: number })): unknown {
    const reply: { outcome: Outcome | null } = { outcome: null }
    this.#send(message, outcome => {
      reply.outcome = outcome
    })
    for (;;) {
      const seen = this.#bell.replies
      const { isClosed } = this.#pulse
      this.#deliver()
      if (reply.outcome === null && isClosed) this.#lose(gone())
      if (reply.outcome !== null) break
      this.#bell.wait(seen, LIMITS.sweepIntervalMs)
      this.assertAlive()
    }
    if (reply.outcome.ok) return reply.outcome.value
    throw reply.outcome.error
  }

  #send(message: FromThread & { readonly request: number }, settle: (outcome: Outcome) => void): void {
    if (this.#lost === null && this.#pulse.isClosed) this.#lose(gone())
    if (this.#lost !== null) return settle({ ok: false, error: this.#lost })
    this.#pending.set(message.request, settle)
    try {
      this.#port.postMessage(message)
    } catch (error) {
      // What a caller gave cannot be cloned.
      this.#settle(message.request, { ok: false, error: SockpoolError.from(error, 'INVALID_REQUEST') })
    }
  }

  #received(message: FromPool): void {
    switch (message.kind) {
      case 'welcome':
        this.#isWelcome = true
        this.#silentLooks = 0
        clearInterval(this.#watch)
        return
      case 'refused':
        return this.#lose(reviveError(message.error))
      case 'reply':
        return this.#settle(message.request, revived(message.outcome))
      case 'ended':
        return this.#deps.onEnded(message.lease, message.reason)
      case 'closed':
        return this.#lose(gone())
      default:
        message satisfies never
    }
  }

  #deliver(): void {
    for (;;) {
      const received = receiveMessageOnPort(this.#port)
      if (received === undefined) return
      this.#received(received.message as FromPool)
    }
  }

  /** A look at the pulse; those that come sooner than the next beat could are none. Until it has said welcome, nothing is life. */
  #look(): void {
    const now = performance.now()
    if (now - this.#lookedMs < LIMITS.sweepIntervalMs / 2) return
    this.#lookedMs = now
    const { beats } = this.#pulse
    this.#silentLooks = this.#isWelcome && beats !== this.#beats ? 0 : this.#silentLooks + 1
    this.#beats = beats
    if (this.#isWelcome || this.#silentLooks * LIMITS.sweepIntervalMs < LIMITS.attachTimeoutMs) return
    this.#lose(
      new SockpoolError(
        'NOT_READY',
        `the thread of the pool did not answer within ${LIMITS.attachTimeoutMs} ms`,
      ),
    )
  }

  #settle(request: number, outcome: Outcome): void {
    const settle = this.#pending.get(request)
    this.#pending.delete(request)
    settle?.(outcome)
  }

  #lose(error: SockpoolError): void {
    if (this.#lost !== null) return
    this.#lost = error
    clearInterval(this.#watch)
    for (const request of [...this.#pending.keys()]) this.#settle(request, { ok: false, error })
    this.#deps.onLost(error)
  }
}

function gone(): SockpoolError {
  return new SockpoolError('DRAINING', 'the pool is closed')
}

function revived(outcome: OutcomeData): Outcome {
  return outcome.ok ? outcome : { ok: false, error: reviveError(outcome.error) }
}
