/**
 * Exclusive use of one connection for a while. The lease owns the two stream ends; the connection stays with the
 * pool. It ends once, by `#finish`: released, discarded, expired, killed, or because its connection broke.
 *
 * A connection that broke leaves its lease standing for as long as received bytes are unread: they come first,
 * then the error, then the lease is gone.
 */
import { randomBytes } from 'node:crypto'
import { type GoneReason, SockpoolError } from '../base/errors.ts'
import { LIMITS } from '../base/limits.ts'
import type { WaitOptions } from '../base/wait.ts'
import type { EndName } from '../channel/channel.ts'
import type { Reuse } from '../config/target.ts'
import { streamEnd } from '../streams/channel-end.ts'
import { ChannelSink } from '../streams/channel-sink.ts'
import { ChannelSource } from '../streams/channel-source.ts'
import { type OnReset, StreamReader } from '../streams/stream-reader.ts'
import { StreamWriter } from '../streams/stream-writer.ts'
import type { IoConnection } from '../threads/io-connection.ts'
import type { SocketFacts, TlsFacts } from '../threads/protocol.ts'
import { LeaseClock } from './lease-clock.ts'
import { Loan } from './loan.ts'
import type { ParseCall, ParsePort } from './parse-port.ts'
import { type ReleaseReason, type ReleaseVerdict, refusalOf } from './verdict.ts'

export type ConnectionFacts = Omit<SocketFacts, 'tls'> & {
  readonly id: string
  readonly tls: Omit<TlsFacts, 'peercert'> | null
}

export type LeaseParts = {
  readonly target: string
  readonly tenant: string
  readonly connection: IoConnection
  readonly reused: boolean
  readonly reuse: Reuse
  /** Milliseconds without an operation until the lease expires; null never. */
  readonly ttlMs: number | null
  /** Bytes behind the read position that stay readable again. */
  readonly replayBytes: number
  readonly limit?: number | undefined
  readonly onReset: OnReset
  readonly leakDetectionMs: number | undefined
  readonly parse: ParsePort
  readonly now: () => number
  readonly isTooOld: () => boolean
  /** Gives the connection back; called once. `graceful`: what was written is still sent. */
  readonly giveBack: (
    refusal: Exclude<ReleaseReason, 'clean'> | null,
    graceful: boolean,
  ) => Promise<ReleaseVerdict>
  readonly onEnded: (lease: Lease) => void
  readonly onLeak: (lease: Lease) => void
}

export class Lease implements AsyncDisposable {
  /** 256 random bits as base64url. */
  readonly id: string = randomBytes(32).toString('base64url')
  readonly target: string
  readonly tenant: string
  readonly reused: boolean
  readonly createdAt: Date = new Date()
  readonly reader: StreamReader
  readonly writer: StreamWriter
  /** Resolves with the reason when the lease has ended; never rejects. */
  readonly ended: Promise<GoneReason>
  readonly #parts: LeaseParts
  readonly #source: ChannelSource
  readonly #sink: ChannelSink
  readonly #clock: LeaseClock
  readonly #resolveEnded: (reason: GoneReason) => void
  #readAtLastWrite = 0
  readonly #leakTimer: NodeJS.Timeout | null = null
  #gone: GoneReason | null = null
  /** How the connection ended under the lease. */
  #lost: EndName | null = null
  #loan: Loan | null = null
  #released: Promise<ReleaseVerdict> | null = null

  constructor(parts: LeaseParts) {
    const { connection, leakDetectionMs, onReset, limit } = parts
    const { channel, ringer, facts } = connection
    this.#parts = parts
    this.target = parts.target
    this.tenant = parts.tenant
    this.reused = parts.reused
    const { promise, resolve } = Promise.withResolvers<GoneReason>()
    this.ended = promise
    this.#resolveEnded = resolve
    this.#source = new ChannelSource(channel, ringer, parts.replayBytes)
    this.#sink = new ChannelSink(channel, ringer)
    this.reader = new StreamReader({ onReset, limit }, this.#source)
    this.writer = new StreamWriter(this.#sink, {
      canWriteEof: facts.tls === null,
      readerException: () => this.reader.exception(),
      onWrite: () => {
        this.#readAtLastWrite = this.reader.offset
      },
      extraInfo: extraInfo(facts),
    })
    connection.hold({
      rung: () => {
        this.#source.rung()
        this.#sink.rung()
      },
    })
    const { ttlMs, now } = parts
    this.#clock = new LeaseClock({ ttlMs, now, onExpired: () => void this.#end('expired') })
    if (leakDetectionMs !== undefined)
      this.#leakTimer = setTimeout(() => parts.onLeak(this), leakDetectionMs).unref()
  }

  get connection(): ConnectionFacts {
    const { id, facts } = this.#parts.connection
    const { tls, ...addresses } = facts
    if (tls === null) return { id, ...addresses, tls }
    const { peercert: _peercert, ...shown } = tls
    return { id, ...addresses, tls: shown }
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
  kill(): void {
    void this.#end('killed')
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
    const offset = this.reader.offset
    const value = await this.#lend(call, (lent, rest) =>
      this.#parts.parse.parseMessage(lent, format, options, { ...call, ...rest, tenant: this.tenant }),
    )
    return { value, offset }
  }

  /** The messages to the end of the stream, each parsed as by `parse`. */
  async *messages(
    format: string,
    options?: object,
    call: ParseCall = {},
  ): AsyncGenerator<unknown, void, undefined> {
    for (;;) {
      try {
        yield (await this.parse(format, options, call)).value
      } catch (error) {
        const ended =
          error instanceof SockpoolError && error.code === 'INCOMPLETE_READ' && this.reader.atEof()
        if (ended && 'partial' in error && (error.partial as Uint8Array).length === 0) return
        throw error
      }
    }
  }

  /** Runs a module's default function `(reader: BlockingReader, argument) => value` on the live connection. */
  async run(module: URL | string, argument?: unknown, call: ParseCall = {}): Promise<unknown> {
    return await this.#lend(call, (lent, rest) =>
      this.#parts.parse.runOn(lent, module, argument, { ...call, ...rest, tenant: this.tenant }),
    )
  }

  /** Discards, unless `release` was called. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.discard()
  }

  /** The socket is gone; called by the pool before the channel serves another connection. */
  connectionLost(how: EndName): void {
    this.#lost = how
    if (this.#loan) return
    this.#letGoOfChannel()
  }

  async #lend(call: WaitOptions, task: Parameters<Loan['run']>[0]): Promise<unknown> {
    return await this.operation('parse', async () => {
      const { signal, timeoutMs } = call
      const startedMs = this.#parts.now()
      // A parse worker takes the connection only once something is there, so that a slow peer occupies no thread.
      if (this.reader.buffered === 0) await this.reader.peek(1, { signal, timeoutMs })
      const leftMs = timeoutMs === undefined ? undefined : timeoutMs - (this.#parts.now() - startedMs)
      return await this.reader.lend(async () => {
        const loan = new Loan(this.#parts.connection, this.#source, this.#lost)
        this.#loan = loan
        try {
          return await loan.run(task, leftMs === undefined ? {} : { timeoutMs: leftMs })
        } finally {
          this.#loan = null
          if (loan.isLost) void this.#end('killed')
          if (this.#lost !== null) this.#letGoOfChannel()
          loan.end()
        }
      })
    })
  }

  #refusal(): ReturnType<typeof refusalOf> {
    const end = this.#source.end ?? this.#sink.end
    return refusalOf({
      reuse: this.#parts.reuse,
      ended: end === null ? 'open' : end.kind === 'failed' ? 'failed' : 'fin',
      interrupted: this.reader.interrupted || this.reader.isWaiting || this.writer.interrupted,
      eofWritten: this.writer.eofWritten,
      closing: this.writer.isClosing(),
      unreadBytes: this.reader.buffered,
      unsentBytes: this.writer.buffered,
      unanswered: this.writer.offset > 0 && this.reader.offset === this.#readAtLastWrite,
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
    // A connection that ended by itself leaves behind what it delivered and how it ended.
    if (this.#lost === null && this.#loan === null) {
      const error = goneError(gone)
      this.#source.revoke(error)
      this.#sink.detach({ kind: 'failed', error })
    }
    this.#resolveEnded(gone)
    this.#parts.onEnded(this)
  }

  #letGoOfChannel(): void {
    const end = streamEnd(this.#lost ?? 'closed') ?? { kind: 'closed' }
    if (this.#lost === 'corrupt' && end.kind === 'failed') this.#source.drop(end.error)
    else this.#source.detach(end)
    this.#sink.detach(end)
    this.#endIfDrained()
  }

  #endIfDrained(): void {
    if (this.#lost === null || this.#gone !== null || this.#clock.isBusy) return
    const isBroken = this.#lost !== 'fin' && this.#lost !== 'closed'
    if (isBroken && this.reader.buffered === 0) this.#finish(goneReason(this.#lost))
  }

  #assertHeld(): void {
    if (this.#gone !== null) throw goneError(this.#gone)
  }
}

function goneError(reason: GoneReason): SockpoolError {
  return new SockpoolError('LEASE_GONE', `the lease was ${reason}`, { reason })
}

function goneReason(how: EndName): GoneReason {
  switch (how) {
    case 'workerLost':
      return 'worker_lost'
    case 'killed':
      return 'killed'
    default:
      return 'reset'
  }
}

function extraInfo(facts: SocketFacts): object {
  const { tls } = facts
  return {
    peername: [facts.remoteAddress, facts.remotePort],
    sockname: [facts.localAddress, facts.localPort],
    ssl: tls,
    ...(tls && { cipher: tls.cipher, peercert: tls.peercert }),
  }
}
