/**
 * A lease in the hands of its program: exclusive use of one connection for a while. It owns the two ends and nothing
 * else; what the lease is, its record says.
 *
 *   program ─► Lease, its reader, its writer ─► grip (watched)       pool ─► record ─► ends
 *
 * The program has a reader and a writer of its own, to which nothing else refers. Once it can reach none of the three,
 * nor a stream that it made of them, nobody can release the lease: it is discarded, with a ResourceWarning, and its
 * place in the pool is free again. A call that waits keeps what it was called on.
 */
import type { TextWrap } from '../../base/answer-form.ts'
import { CallBounds } from '../../base/call-bounds.ts'
import { type GoneReason, SockpoolError } from '../../base/errors.ts'
import { LossWatch, type Watched } from '../../base/loss-watch.ts'
import { countOption, requireFunction } from '../../base/options.ts'
import { type Parcel, unpackValue } from '../../base/value-parcel.ts'
import type { SocketDuplex } from '../../streams/adapters/socket-duplex.ts'
import { warnOfUnclosed } from '../../streams/adapters/unclosed-watch.ts'
import { goneError } from '../../streams/channel-ends/channel-end.ts'
import { StreamReader } from '../../streams/reading/stream-reader.ts'
import { StreamWriter } from '../../streams/writing/stream-writer.ts'
import { tracedParse } from '../../tracing/parse-span.ts'
import type { ReleaseResult } from '../target/release-result.ts'
import { type ConnectionFacts, connectionFacts } from './connection-facts.ts'
import { Handover, type WebStreams } from './handover.ts'
import type { LeaseEnds } from './lease-ends.ts'
import type { LeaseKeeper, LoanWork } from './lease-keeper.ts'
import { ttlOption } from './lease-options.ts'
import { lendEnd } from './loan.ts'
import { MessageBatches } from './message-batches.ts'
import type { ParseCall } from './parse-port.ts'
import { releaseLease } from './release-lease.ts'
import { bytesFrom, readFrom } from './replay.ts'

const watch = new LossWatch<LeaseKeeper>(discardLost)

function discardLost(keeper: LeaseKeeper): void {
  if (keeper.gone !== null) return
  warnOfUnclosed(`unreleased <Lease of ${keeper.terms.target}>`)
  keeper.kill('released')
}

export class Lease implements AsyncDisposable {
  readonly reader: StreamReader
  readonly writer: StreamWriter
  readonly #keeper: LeaseKeeper
  readonly #ends: LeaseEnds
  /** Made once it is handed over. */
  #handover: Handover | null = null
  readonly #createdMs = Date.now()
  readonly #watched: Watched
  #released: Promise<ReleaseResult> | null = null

  constructor(keeper: LeaseKeeper, ends: LeaseEnds) {
    const grip = {}
    this.#keeper = keeper
    this.#ends = ends
    this.reader = new StreamReader({}, ends.reader, grip)
    this.writer = new StreamWriter(ends.writer, {}, grip)
    this.#watched = watch.watch(grip, keeper)
  }

  get createdAt(): Date {
    return new Date(this.#createdMs)
  }

  /** 256 random bits as base64url, drawn once somebody asks. */
  get id(): string {
    return this.#keeper.id
  }

  get target(): string {
    return this.#keeper.terms.target
  }

  get tenant(): string {
    return this.#keeper.terms.tenant
  }

  /** Whether its connection has served another lease before. */
  get reused(): boolean {
    return this.#keeper.terms.reused
  }

  get connection(): ConnectionFacts {
    return connectionFacts(this.#keeper.connection)
  }

  /** Why the lease has ended, or null while it is held. */
  get gone(): GoneReason | null {
    return this.#keeper.gone
  }

  /** Resolves with the reason when the lease has ended; never rejects. */
  get ended(): Promise<GoneReason> {
    return this.#keeper.ended
  }

  /** Null for a lease without a ttl. Every operation moves it on. */
  get expiresAt(): Date | null {
    return this.#keeper.clock.expiresAt
  }

  get ageMs(): number {
    return this.#keeper.clock.ageMs
  }

  /** Milliseconds since the last operation; 0 while one runs. */
  get idleMs(): number {
    return this.#keeper.clock.idleMs
  }

  get lastOperation(): string | null {
    return this.#keeper.clock.lastOperation
  }

  /** Whether it keeps what it has read, for `readAt`. */
  get replay(): boolean {
    return this.#keeper.terms.replayBytes > 0
  }

  /** Renews the ttl, sets a new one, or lifts it with Infinity; the new expiry. Errors: INVALID_REQUEST, LEASE_GONE. */
  renew(ttlMs?: number): Date | null {
    const judged = ttlOption(ttlMs)
    this.#ends.assertHeld()
    this.#keeper.renew(judged)
    return this.expiresAt
  }

  /** Runs one operation: the lease does not expire meanwhile, and its ttl is renewed. Errors: LEASE_GONE. */
  async operation<T>(name: string, run: () => Promise<T>): Promise<T> {
    return await this.#keeper.operation(name, run)
  }

  /**
   * Runs `read` on a reader of the stream from an offset on: what was read before comes from the window of a lease with
   * `replay`, then new bytes. What was read stays read, so that the lease's own offset moves on by new bytes alone.
   *
   * Errors: OFFSET_GONE before the window, or without one, OFFSET_MISMATCH beyond the lease's own offset (both with that
   * `offset`), READ_BUSY, LEASE_GONE, and those of `read`.
   */
  async readAt<T>(offset: number, read: (reader: StreamReader) => Promise<T>): Promise<T> {
    requireFunction('read', read)
    const judged = countOption('offset', offset, 0)
    this.#ends.assertHeld()
    return await readFrom(this.#ends, judged, read)
  }

  /**
   * Gives the connection back, by the holder's word at a message boundary. Whether it serves again is judged.
   * Idempotent: later calls answer as the first. It never rejects.
   */
  release(): Promise<ReleaseResult> {
    watch.forget(this.#watched)
    this.#released ??= releaseLease(this.#keeper, this.#ends, this.#handover)
    return this.#released
  }

  /** Gives the connection back to be closed. */
  discard(): Promise<ReleaseResult> {
    watch.forget(this.#watched)
    return this.#keeper.giveBack('discarded', false)
  }

  /** Ends a lease whose connection is gone: reader and writer go on telling how that ended, as without a lease. */
  forget(): void {
    watch.forget(this.#watched)
    this.#keeper.forget()
  }

  /** Ends the lease from outside: its connection is killed. */
  kill(reason: GoneReason = 'killed'): void {
    watch.forget(this.#watched)
    this.#keeper.kill(reason)
  }

  /**
   * The value of the next message, read in a parse worker, off this thread; bytes after it stay readable.
   *
   * Errors: FORMAT_NOT_FOUND, INVALID_REQUEST, PARSE_FAILED, PARSE_LIMIT, PARSE_TIMEOUT, QUEUE_FULL, READ_BUSY,
   * READ_TIMEOUT, INCOMPLETE_READ (an empty `partial`: EOF between messages), LEASE_GONE, ABORTED. After a time-out or an
   * abort nothing is removed, and the lease goes on.
   */
  async parse(format: string, options?: object, call: ParseCall = CallBounds.NONE): Promise<unknown> {
    const bounds = CallBounds.of(call)
    const keeper = this.#keeper
    return await tracedParse({ format, within: keeper.span?.within }, () =>
      keeper.operation('parse', () => this.#parseNow(format, options, bounds)),
    )
  }

  /**
   * As `parse`, but the value as JSON text that the parse worker wrote, with what `wrapAt` puts around it for the offset
   * of the message. Numbers and keys are as the peer wrote them. `offset`: where the message begins; default: where the
   * lease stands. Errors: also those of `readAt`.
   */
  async parseToText(
    format: string,
    wrapAt: (offset: number) => TextWrap,
    options?: object,
    call: ParseCall & { readonly offset?: number | undefined } = {},
  ): Promise<Uint8Array> {
    const offset = countOption('offset', call.offset, 0)
    const form = { kind: 'text', wrap: wrapAt(offset ?? this.reader.offset) } as const
    const work: LoanWork = (port, lent, rest) => port.parseMessage(lent, format, options, { ...rest, form })
    return (await this.#lend(call, work, offset)) as Uint8Array
  }

  /**
   * The messages to the end of the stream, each as `parse` would give it. Parse threads decode as many as there are ahead of
   * the loop, and a message's bytes are read when it is handed out: what follows it stays readable. Errors: as `parse`.
   */
  async *messages(
    format: string,
    options?: object,
    call: ParseCall = CallBounds.NONE,
  ): AsyncGenerator<unknown, void, undefined> {
    const keeper = this.#keeper
    const ends = this.#ends
    const bounds = CallBounds.of(call)
    const readOne = (left: CallBounds): Promise<unknown> => this.#parseNow(format, options, left)
    try {
      yield* new MessageBatches({ keeper, ends, format, options, bounds, readOne }).all()
    } catch (error) {
      const isCut = error instanceof SockpoolError && error.code === 'INCOMPLETE_READ'
      const partial = isCut && 'partial' in error ? (error.partial as Uint8Array) : null
      if (partial?.length === 0 && this.reader.atEof()) return
      throw error
    }
  }

  /**
   * Runs a module's default function `(reader: BlockingReader, argument) => value` on the live connection. Errors: as
   * `parse`, and the module's own.
   */
  async run(module: URL | string, argument?: unknown, call: ParseCall = CallBounds.NONE): Promise<unknown> {
    return await this.#lend(call, (port, lent, rest) => port.runOn(lent, module, argument, rest))
  }

  /**
   * The connection as a `net.Socket`-like Duplex, for clients that were written for one. Reader and writer belong to
   * it from now on. The lease ends with the duplex, and its connection is closed then; it serves again only where its
   * holder calls `release` before, under the same rules as ever and with nothing left in the duplex, which ends.
   *
   * Idempotent. Errors: LEASE_GONE; INVALID_REQUEST after `toWeb`.
   */
  toDuplex(): SocketDuplex {
    this.#assertHeld()
    this.#handover ??= this.#makeHandover()
    return this.#handover.toDuplex()
  }

  /**
   * The connection as web streams of bytes; the writable takes strings too. As `toDuplex`: the lease ends when both
   * streams are done.
   *
   * Idempotent. Errors: LEASE_GONE; INVALID_REQUEST after `toDuplex`.
   */
  toWeb(): WebStreams {
    this.#assertHeld()
    this.#handover ??= this.#makeHandover()
    return this.#handover.toWeb()
  }

  /** Discards, unless `release` was called. */
  async [Symbol.asyncDispose](): Promise<void> {
    await (this.#released ?? this.discard())
  }

  #makeHandover(): Handover {
    const { reader, writer } = this
    const keeper = this.#keeper
    let call = -1
    return new Handover({
      reader,
      writer,
      traits: keeper.connection.facts,
      keepAlive: isOn => keeper.keepAlive(isOn),
      onBegun: shape => {
        call = keeper.flight?.begin(shape) ?? -1
        keeper.clock.begin(shape)
      },
      onEnded: () => {
        keeper.flight?.end(call, this.reader.exception())
        keeper.clock.end()
        if (this.reader.exception() === null) void this.release()
        else keeper.kill('reset')
      },
    })
  }

  async #lend(call: ParseCall, work: LoanWork, offset?: number): Promise<unknown> {
    const bounds = CallBounds.of(call)
    return await this.#keeper.operation('parse', () => this.#lendNow(bounds, work, offset))
  }

  /** As `parse`, within an operation. */
  async #parseNow(format: string, options: object | undefined, bounds: CallBounds): Promise<unknown> {
    const form = { kind: 'parcel' } as const
    const parcel = await this.#lendNow(bounds, (port, lent, rest) =>
      port.parseMessage(lent, format, options, { ...rest, form }),
    )
    return await unpackValue(parcel as Parcel)
  }

  async #lendNow(bounds: CallBounds, work: LoanWork, offset?: number): Promise<unknown> {
    const { reader } = this
    const startedMs = performance.now()
    const old = bytesFrom(this.#ends, offset ?? reader.offset)
    // A parse worker takes the connection only once something is there, so that a slow peer occupies no thread.
    if (old.length === 0 && reader.buffered === 0) await reader.peek(1, bounds)
    const left = bounds.left(startedMs, performance.now())
    return await reader.lend(() => lendEnd(this.#keeper, this.#ends, work, left, old))
  }

  #assertHeld(): void {
    const { gone } = this.#keeper
    if (gone !== null) throw goneError(gone)
  }
}
