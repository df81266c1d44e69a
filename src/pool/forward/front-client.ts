/**
 * One client of a front door whose clients have a connection only while a message is under way. It runs on the pool's
 * thread.
 *
 *   reading ──a batch of requests──► serving ──its answers are handed on──► reading
 *      │                                └──a request that needs a connection for good──► pinned
 *      └──the client ends, quits, or speaks no protocol; the front door drains──► over
 *
 * It is read no further than the batch under way, and not before it has taken what it was answered. Its answers are whole
 * and in the order of its requests; one that cannot be had is told in the words of the protocol, or by the end of the
 * client's connection where it has none.
 */
import { CallBounds } from '../../base/call-bounds.ts'
import { SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import type { CallerMessage, Frame } from '../../frames/frame.ts'
import type { MovedBytes } from '../../threads/protocol.ts'
import type { ExchangeReply } from '../lease/exchange.ts'
import type { AnswerSink, Carrier } from './carrier.ts'
import type { Carriers } from './carriers.ts'
import { type ForwardWords, wordsOf } from './forward-words.ts'
import type { DeskWay, Unanswered } from './front-desk.ts'
import { OrderedAnswers, type PlacedAnswer } from './ordered-answers.ts'
import { type ClientEnds, PinnedClient } from './pinned-client.ts'
import { type ForwardRequest, type RequestBatch, RequestBatches } from './request-batches.ts'
import { type PinReason, pinReasonOf } from './request-needs.ts'

export type FrontClientDeps = {
  readonly ends: ClientEnds
  /** Null where its bytes come from elsewhere. */
  readonly desk: DeskWay | null
  readonly frame: Frame
  readonly carriers: Carriers
  /** Whether the target has its exchanges share connections. */
  readonly isShared: () => boolean
  /**
   * One request on a connection that others share; null where the target shares none any more. Errors: TARGET_NOT_FOUND;
   * later those of Multiplexer.exchange.
   */
  readonly share: (request: Buffer) => Promise<ExchangeReply> | null
  readonly onPin: (reason: PinReason) => void
  /** So much has passed between it and the target at a desk. */
  readonly onMoved: (moved: MovedBytes) => void
  /** A fault of ours, which nobody awaits. */
  readonly onFault: (error: unknown) => void
  /** Milliseconds for the answers to a batch, and for a client to take what it was answered. */
  readonly timeoutMs: number
}

type State = 'reading' | 'serving' | 'pinned' | 'over'

export class FrontClient implements AnswerSink {
  readonly #deps: FrontClientDeps
  readonly #batches: RequestBatches
  readonly #words: ForwardWords
  #state: State = 'reading'
  /** It has a batch answered yet, and then ends. */
  #isDraining = false
  /** Answers of the batch under way that are handed on. */
  #answered = 0
  /** Of the batch before a request that pins. */
  #kept: Carrier | null = null
  /** It is served at a desk; resolves when it has strayed, and what it asked there is answered. */
  #desked: Promise<void> | null = null

  constructor(deps: FrontClientDeps) {
    this.#deps = deps
    const { ends, frame, isShared } = deps
    this.#batches = new RequestBatches({ reader: ends.reader, frame, isShared })
    this.#words = wordsOf(frame.name)
    ends.writer.setWriteBufferLimits(LIMITS.forwardUntakenBytes)
  }

  get isPinned(): boolean {
    return this.#state === 'pinned'
  }

  /** Resolves when the client is done with, and its connection closing. */
  async run(): Promise<void> {
    try {
      while (this.#state === 'reading' && !this.#isDraining) {
        this.#attend()
        const batch = await this.#next()
        // What it asked at the desk comes first; that it has strayed is known there.
        while (this.#desked !== null) await this.#desked
        if (batch === null || this.#state !== 'reading') break
        this.#state = 'serving'
        await this.#serve(batch)
        await this.#untilReady()
      }
    } finally {
      this.#state = 'over'
      if (this.#kept !== null) this.#deps.carriers.give(this.#kept)
      this.#kept = null
      this.#deps.ends.writer.close()
    }
  }

  /** Ends it as soon as what it has asked is answered; one that is pinned goes on. */
  drain(): void {
    this.#isDraining = true
    if (this.#desked !== null) this.#deps.desk?.recall()
    else if (this.#state === 'reading') this.#deps.ends.writer.close()
  }

  /** Has the desk serve it while it is at rest. */
  #attend(): void {
    const { desk, ends, isShared, onFault, onMoved } = this.#deps
    if (desk === null || isShared() || !this.#batches.isEmpty) return
    const { promise, resolve } = Promise.withResolvers<Unanswered | null>()
    const onStrayed = (unanswered: Unanswered | null, moved: MovedBytes): void => {
      onMoved(moved)
      resolve(unanswered)
    }
    if (!desk.attend(ends.reader.offset, onStrayed)) return
    this.#desked = promise
      .then(unanswered => this.#strayed(unanswered))
      .catch(onFault)
      .finally(() => {
        this.#desked = null
        // It waits for what its client asks next, which nobody is to serve.
        if (this.#state === 'over' || (this.#isDraining && this.#state === 'reading')) ends.writer.close()
      })
  }

  /** Goes on with what it has asked at a desk. */
  async #strayed(unanswered: Unanswered | null): Promise<void> {
    if (unanswered === null) return
    const { asked, carrier } = unanswered
    const { carriers, timeoutMs } = this.#deps
    if (this.#state === 'reading') this.#state = 'serving'
    this.#answered = 0
    try {
      await carrier.goOn(asked, this, new CallBounds(undefined, timeoutMs))
      if (carrier.isLast) this.#leave(null)
    } catch (error) {
      if (carrier.isLast) this.#leave(null)
      else this.#fail(asked, error)
    } finally {
      carriers.give(carrier)
    }
    await this.#untilReady()
  }

  /** Ends it at once. */
  abort(): void {
    this.#state = 'over'
    this.#deps.ends.writer.abort()
  }

  took(bytes: Uint8Array, count: number): void {
    this.#answered += count
    this.#say(bytes)
  }

  room(): Promise<void> | null {
    const { ends, timeoutMs } = this.#deps
    return ends.writer.buffered > LIMITS.forwardUntakenBytes ? this.#untilTaken({ timeoutMs }) : null
  }

  /** Null where the client sends no more. */
  async #next(): Promise<RequestBatch | null> {
    try {
      return await this.#batches.next()
    } catch (error) {
      // The client's connection is gone, by whoever's doing.
      if (error instanceof SockpoolError) return null
      throw error
    }
  }

  async #serve(batch: RequestBatch): Promise<void> {
    switch (batch.kind) {
      case 'shared':
        return await this.#share(batch.requests)
      case 'held':
        return await this.#hold(batch.requests)
      case 'pin':
        return await this.#pin(batch.request)
      case 'quit':
        return this.#leave(this.#words.farewell)
      case 'broken':
        return this.#leave(this.#words.broken(batch.error))
      default:
        return batch satisfies never
    }
  }

  /** It is read again once it has taken enough of what it was answered; it may take its time where nothing is held for it. */
  async #untilReady(): Promise<void> {
    const { ends, timeoutMs } = this.#deps
    if (this.#state === 'serving' && ends.writer.buffered > LIMITS.forwardUntakenBytes)
      await this.#untilTaken(this.#kept === null ? {} : { timeoutMs })
    if (this.#state === 'serving') this.#state = 'reading'
  }

  async #share(requests: readonly ForwardRequest[]): Promise<void> {
    const answers = new OrderedAnswers(requests.length, this)
    for (const [place, { bytes }] of requests.entries())
      this.#ask(bytes).then(
        ({ data }) => answers.came(place, { bytes: data, isLast: false }),
        error => answers.came(place, this.#failure(error)),
      )
    if (!(await answers.done)) this.#leave(null)
  }

  /** Not async: a promise more for each request would cost more than the rest of this. */
  #ask(request: Buffer): Promise<ExchangeReply> {
    try {
      const asked = this.#deps.share(request)
      if (asked !== null) return asked
      throw new SockpoolError('CONNECTION_RESET', 'the target shares its connections no more')
    } catch (error) {
      return Promise.reject(error)
    }
  }

  #failure(error: unknown): PlacedAnswer {
    const bytes = this.#words.failure(this.#known(error))
    return { bytes, isLast: bytes === null || this.#words.failsLast }
  }

  /** What is no error of a connection or the pool is a fault of ours, which is told. */
  #known(error: unknown): SockpoolError {
    if (!(error instanceof SockpoolError)) this.#deps.onFault(error)
    return SockpoolError.from(error)
  }

  /** On one connection, which goes back when the last answer is there. */
  async #hold(requests: readonly ForwardRequest[]): Promise<void> {
    const { carriers, frame, ends } = this.#deps
    this.#answered = 0
    let carrier: Carrier
    try {
      carrier = await this.#carrier()
    } catch (error) {
      return this.#fail(messagesOf(requests), error)
    }
    try {
      if (carrier.frame !== frame) return this.#leave(null)
      // Nobody would hear the answers, and nothing was sent yet.
      if (ends.reader.exception() !== null || this.#state !== 'serving') return this.#leave(null)
      await this.#carry(carrier, requests)
      if (carrier.isLast) this.#leave(null)
      else if (this.#batches.isPinNext && carrier.isClean) this.#kept = carrier
    } catch (error) {
      // Behind a last answer there is none, not even of ours.
      if (carrier.isLast) this.#leave(null)
      else this.#fail(messagesOf(requests), error)
    } finally {
      if (this.#kept !== carrier) carriers.give(carrier)
    }
  }

  async #carry(carrier: Carrier, requests: readonly ForwardRequest[]): Promise<void> {
    const { timeoutMs, ends, onPin } = this.#deps
    const isBlocking = requests.some(({ need }) => need === 'blocking')
    if (!isBlocking) return await carrier.carry(requests, this, new CallBounds(undefined, timeoutMs))
    // It takes as long as the peer likes, or until the client has gone: what the peer gave then would be lost.
    onPin('blocking')
    const gone = new AbortController()
    const onGone = (): void => gone.abort()
    const { reader } = ends
    // Who has ended before it is served awaits an answer all the same, if there is one.
    const timer = reader.ending === null ? null : setTimeout(onGone, LIMITS.forwardEndedMs)
    if (timer === null) reader.onEnd(onGone)
    try {
      await carrier.carry(requests, this, new CallBounds(gone.signal, undefined))
    } finally {
      if (timer === null) reader.onEnd(null)
      else clearTimeout(timer)
    }
  }

  async #carrier(): Promise<Carrier> {
    const kept = this.#kept
    this.#kept = null
    return kept ?? (await this.#deps.carriers.acquire())
  }

  async #pin(request: ForwardRequest): Promise<void> {
    const { carriers, frame, ends, onPin, timeoutMs } = this.#deps
    this.#answered = 0
    let carrier: Carrier
    try {
      carrier = await this.#carrier()
    } catch (error) {
      return this.#fail([request.message], error)
    }
    if (carrier.frame !== frame || this.#state !== 'serving') {
      carriers.give(carrier)
      return this.#leave(null)
    }
    const held = carriers.keep(carrier)
    this.#state = 'pinned'
    onPin(pinReasonOf(request.message))
    await new PinnedClient(ends, held, frame).run([request.bytes, ...this.#batches.takeRest()], timeoutMs)
    this.#state = 'over'
  }

  /** Says of each request that has no answer why, or ends the client where that cannot be said. */
  #fail(asked: readonly CallerMessage[], error: unknown): void {
    const words = this.#words.failure(this.#known(error))
    // Where some have none, nobody knows which of the answers are missing.
    const isKnown = asked.every(({ answers }) => answers === 1) || this.#answered === 0
    if (words === null || !isKnown) return this.#leave(null)
    const owed = asked.reduce((sum, { answers }) => sum + answers, 0)
    for (let left = owed - this.#answered; left > 0 && this.#state === 'serving'; left--) {
      this.#say(words)
      if (this.#words.failsLast) this.#leave(null)
    }
  }

  /** With these as the last words, or none. */
  #leave(words: Buffer | null): void {
    if (words !== null) this.#say(words)
    if (this.#state !== 'pinned') this.#state = 'over'
  }

  #say(bytes: Uint8Array): void {
    try {
      this.#deps.ends.writer.write(bytes)
    } catch (error) {
      // It has gone, or been ended.
      if (!(error instanceof SockpoolError)) throw error
      this.#state = 'over'
    }
  }

  /** Resolves when the client has taken enough, is gone, or was too slow and is ended. */
  async #untilTaken(bounds: { readonly timeoutMs?: number }): Promise<void> {
    const { writer } = this.#deps.ends
    try {
      await writer.drain(bounds)
    } catch (error) {
      if (!(error instanceof SockpoolError)) throw error
      if (error.code === 'DRAIN_TIMEOUT') this.abort()
      this.#state = 'over'
    }
  }
}

function messagesOf(requests: readonly ForwardRequest[]): readonly CallerMessage[] {
  return requests.map(({ message }) => message)
}
