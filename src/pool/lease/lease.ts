/**
 * Exclusive use of one connection for a while. The lease owns the two stream ends; the connection stays with the
 * pool. It ends once, by `#finish`: released, discarded, expired, killed, or because its connection broke.
 *
 * A connection that broke leaves its lease standing for as long as received bytes are unread: they come first,
 * then the error, then the lease is gone.
 */
import { randomBytes } from 'node:crypto'
import type { GoneReason } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import type { EndName } from '../../channel/channel.ts'
import type { SocketDuplex } from '../../streams/adapters/socket-duplex.ts'
import type { StreamReader } from '../../streams/reading/stream-reader.ts'
import type { StreamWriter } from '../../streams/writing/stream-writer.ts'
import { type ReleaseVerdict, refusalOf } from '../target/verdict.ts'
import { type ConnectionFacts, connectionFacts } from './connection-facts.ts'
import { GoneEnd, goneError, goneReason } from './gone.ts'
import { Handover, type WebStreams } from './handover.ts'
import { LeaseClock } from './lease-clock.ts'
import { LeaseEnds } from './lease-ends.ts'
import type { LeaseParts } from './lease-parts.ts'
import { Lending } from './lending.ts'
import type { ParseCall } from './parse-port.ts'

export class Lease implements AsyncDisposable {
  readonly target: string
  readonly tenant: string
  readonly reused: boolean
  readonly createdAt: Date = new Date()
  readonly reader: StreamReader
  readonly writer: StreamWriter
  /** Resolves with the reason when the lease has ended; never rejects. */
  readonly ended: Promise<GoneReason>
  readonly #parts: LeaseParts
  readonly #ends: LeaseEnds
  readonly #clock: LeaseClock
  readonly #lending: Lending
  readonly #handover: Handover
  readonly #resolveEnded: (reason: GoneReason) => void
  readonly #leakTimer: NodeJS.Timeout | null = null
  #id: string | null = null
  #gone: GoneReason | null = null
  /** How the connection ended under the lease. */
  #lost: EndName | null = null
  #released: Promise<ReleaseVerdict> | null = null

  constructor(parts: LeaseParts) {
    const { leakDetectionMs, ttlMs, now } = parts
    this.#parts = parts
    this.target = parts.target
    this.tenant = parts.tenant
    this.reused = parts.reused
    const { promise, resolve } = Promise.withResolvers<GoneReason>()
    this.ended = promise
    this.#resolveEnded = resolve
    this.#ends = new LeaseEnds({ ...parts, limit: parts.limit })
    this.reader = this.#ends.reader
    this.writer = this.#ends.writer
    const onExpired = (): void => void this.#end('expired')
    this.#clock = new LeaseClock({ ttlMs, now, onExpired, activity: () => this.#ends.activity })
    this.#lending = this.#makeLending()
    this.#handover = this.#makeHandover()
    if (leakDetectionMs !== undefined)
      this.#leakTimer = setTimeout(() => parts.onLeak(), leakDetectionMs).unref()
  }

  /** 256 random bits as base64url, drawn once somebody asks: an exchange needs none. */
  get id(): string {
    this.#id ??= randomBytes(32).toString('base64url')
    return this.#id
  }

  get connection(): ConnectionFacts {
    return connectionFacts(this.#parts.connection)
  }

  /** Why the lease has ended, or null while it is held. */
  get gone(): GoneReason | null {
    return this.#gone
  }

  /** Null for a lease without a ttl. Every operation moves it on. */
  get expiresAt(): Date | null {
    return this.#clock.expiresAt
  }

  get ageMs(): number {
    return this.#clock.ageMs
  }

  /** Milliseconds since the last operation; 0 while one runs. */
  get idleMs(): number {
    return this.#clock.idleMs
  }

  get lastOperation(): string | null {
    return this.#clock.lastOperation
  }

  /** Renews the ttl, or sets a new one; the new expiry. Errors: LEASE_GONE. */
  renew(ttlMs?: number): Date | null {
    this.#assertHeld()
    this.#clock.renew(ttlMs)
    this.#parts.onRenewed?.(ttlMs)
    return this.expiresAt
  }

  /** Runs one operation: the lease does not expire meanwhile, and its ttl is renewed. Errors: LEASE_GONE. */
  async operation<T>(name: string, run: () => Promise<T>): Promise<T> {
    this.#assertHeld()
    this.#clock.begin(name)
    try {
      return await run()
    } finally {
      this.#clock.end()
      this.#endIfDrained()
    }
  }

  /**
   * Gives the connection back, by the holder's word at a message boundary. Whether it serves again is judged.
   * Idempotent: later calls answer as the first.
   */
  release(): Promise<ReleaseVerdict> {
    this.#released ??= this.#release()
    return this.#released
  }

  /** Gives the connection back to be closed. */
  discard(): Promise<ReleaseVerdict> {
    this.#released ??= this.#giveBack('released', 'discarded')
    return this.#released
  }

  /** Ends the lease from outside: its connection is killed. */
  kill(reason: GoneReason = 'killed'): void {
    void this.#end(reason)
  }

  /**
   * Reads one message in a parse worker, off this thread; bytes after it stay readable.
   *
   * Errors: FORMAT_NOT_FOUND, INVALID_REQUEST, PARSE_FAILED, PARSE_LIMIT, PARSE_TIMEOUT, QUEUE_FULL, READ_BUSY,
   * READ_TIMEOUT, INCOMPLETE_READ (an empty `partial`: EOF between messages), LEASE_GONE, ABORTED.
   */
  async parse(
    format: string,
    options?: object,
    call: ParseCall = {},
  ): Promise<{ value: unknown; offset: number }> {
    return await this.#lending.parse(format, options, call)
  }

  /** The messages to the end of the stream, each parsed as by `parse`. */
  messages(format: string, options?: object, call: ParseCall = {}): AsyncGenerator<unknown, void, undefined> {
    return this.#lending.messages(format, options, call)
  }

  /** Runs a module's default function `(reader: BlockingReader, argument) => value` on the live connection. */
  async run(module: URL | string, argument?: unknown, call: ParseCall = {}): Promise<unknown> {
    return await this.#lending.run(module, argument, call)
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
    return this.#handover.toWeb()
  }

  /** Discards, unless `release` was called. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.discard()
  }

  /** The socket is gone; called by the pool before the channel serves another connection. */
  connectionLost(how: EndName): void {
    this.#lost = how
    if (!this.#lending.isOut) this.#letGoOfChannel()
  }

  #makeLending(): Lending {
    const { connection, onReset, parse: port, now } = this.#parts
    return new Lending({
      connection,
      source: this.#ends.source,
      reader: this.reader,
      onReset,
      port,
      tenant: this.tenant,
      now,
      operation: (name, run) => this.operation(name, run),
      lost: () => this.#lost,
      onReturned: isLost => {
        if (isLost) void this.#end('killed')
        if (this.#lost !== null) this.#letGoOfChannel()
      },
    })
  }

  #makeHandover(): Handover {
    const { connection, keepAlive } = this.#parts
    return new Handover({
      reader: this.reader,
      writer: this.writer,
      traits: connection.facts,
      keepAlive: isOn => {
        if (this.#gone === null) keepAlive(isOn)
      },
      onBegun: shape => this.#clock.begin(shape),
      onEnded: () => {
        this.#clock.end()
        this.#endIfDrained()
        void (this.#ends.trace.ended === 'failed' ? this.#end('reset') : this.release())
      },
    })
  }

  #refusal(): ReturnType<typeof refusalOf> {
    const trace = this.#ends.trace
    const { isMade, unreadBytes, unsentBytes } = this.#handover
    return refusalOf({
      ...trace,
      reuse: this.#parts.reuse,
      // A stream reads ahead as long as it is open; that read is nobody's unanswered question.
      interrupted: isMade ? this.#ends.isInterrupted : trace.interrupted,
      unreadBytes: trace.unreadBytes + unreadBytes,
      unsentBytes: trace.unsentBytes + unsentBytes,
      tooOld: this.#parts.isTooOld(),
    })
  }

  async #release(): Promise<ReleaseVerdict> {
    const refusal = this.#refusal()
    // It will not serve again, but what its holder wrote was accepted and still goes out.
    if (refusal !== null && this.#lost === null && this.writer.buffered > 0) this.writer.close()
    // What was written before a close is still sent; the part beyond the ring only this writer can send.
    if (this.writer.isClosing() && this.writer.queued > 0)
      await this.writer.waitClosed({ timeoutMs: LIMITS.closeLingerMs }).catch(() => 'the verdict tells')
    return await this.#giveBack('released', refusal)
  }

  async #giveBack(gone: GoneReason, refusal: ReturnType<typeof refusalOf>): Promise<ReleaseVerdict> {
    if (this.#gone !== null) return { outcome: 'closed', reason: this.#lost === null ? 'discarded' : 'error' }
    // A close that the holder asked for still sends what was written before it.
    const graceful = refusal !== 'discarded' && this.writer.isClosing() && this.writer.queued === 0
    this.#finish(gone)
    return await this.#parts.giveBack(refusal, graceful)
  }

  #end(gone: GoneReason): Promise<ReleaseVerdict> {
    this.#released ??= this.#giveBack(gone, 'discarded')
    return this.#released
  }

  /** The one place where a lease ends. */
  #finish(gone: GoneReason): void {
    if (this.#gone !== null) return
    this.#gone = gone
    this.#clock.stop()
    if (this.#leakTimer) clearTimeout(this.#leakTimer)
    if (gone === 'released') this.#handover.letGo()
    // A connection that ended by itself leaves behind what it delivered and how it ended.
    if (this.#lost === null && !this.#lending.isOut) this.#ends.revoke(new GoneEnd(gone))
    this.#resolveEnded(gone)
    this.#parts.onEnded()
  }

  #letGoOfChannel(): void {
    this.#ends.letGo(this.#lost ?? 'closed')
    this.#endIfDrained()
  }

  #endIfDrained(): void {
    if (this.#lost === null || this.#gone !== null || this.#clock.isBusy) return
    const isOrderly = this.#lost === 'fin' || this.#lost === 'closed'
    const isBroken = !isOrderly || this.reader.exception() !== null
    if (isBroken && this.reader.buffered === 0) this.#finish(goneReason(this.#lost))
  }

  #assertHeld(): void {
    if (this.#gone !== null) throw goneError(this.#gone)
  }
}
