/**
 * A lease in the hands of its program. The pool has the Lease; the program has a handle of its own, with a reader and a
 * writer of its own, to which nothing else refers. Once it can reach none of the three, nobody can release the lease:
 * it is discarded, with a ResourceWarning, and its place in the pool is free again.
 *
 *   program ─► handle, its reader, its writer ─► grip (watched)       pool ─► Lease
 *
 * A call that waits keeps what it was called on. A stream that the lease was handed over to ends it by itself.
 */
import type { GoneReason } from '../../base/errors.ts'
import { LossWatch, type Watched } from '../../base/loss-watch.ts'
import type { SocketDuplex } from '../../streams/adapters/socket-duplex.ts'
import { warnOfUnclosed } from '../../streams/adapters/unclosed-watch.ts'
import { StreamReader } from '../../streams/reading/stream-reader.ts'
import { StreamWriter } from '../../streams/writing/stream-writer.ts'
import type { ReleaseVerdict } from '../target/verdict.ts'
import type { ConnectionFacts } from './connection-facts.ts'
import type { WebStreams } from './handover.ts'
import type { Lease } from './lease.ts'
import type { ParseCall } from './parse-port.ts'

const watch = new LossWatch<Lease>(discardLost)

function discardLost(lease: Lease): void {
  if (lease.gone !== null) return
  warnOfUnclosed(`unreleased <Lease of ${lease.target}>`)
  void lease.discard()
}

export class LeaseHandle implements AsyncDisposable {
  readonly #lease: Lease
  readonly #grip: object = {}
  readonly #watched: Watched
  #reader: StreamReader | null = null
  #writer: StreamWriter | null = null

  constructor(lease: Lease) {
    this.#lease = lease
    this.#watched = watch.watch(this.#grip, lease)
  }

  /** 256 random bits as base64url, drawn once somebody asks. */
  get id(): string {
    return this.#lease.id
  }

  get target(): string {
    return this.#lease.target
  }

  get tenant(): string {
    return this.#lease.tenant
  }

  /** Whether its connection has served another lease before. */
  get reused(): boolean {
    return this.#lease.reused
  }

  get createdAt(): Date {
    return this.#lease.createdAt
  }

  get reader(): StreamReader {
    this.#reader ??= new StreamReader({}, this.#lease.reader, this.#grip)
    return this.#reader
  }

  get writer(): StreamWriter {
    this.#writer ??= new StreamWriter(this.#lease.writer, {}, this.#grip)
    return this.#writer
  }

  /** Resolves with the reason when the lease has ended; never rejects. */
  get ended(): Promise<GoneReason> {
    return this.#lease.ended
  }

  get connection(): ConnectionFacts {
    return this.#lease.connection
  }

  /** Why the lease has ended, or null while it is held. */
  get gone(): GoneReason | null {
    return this.#lease.gone
  }

  /** Null for a lease without a ttl. Every operation moves it on. */
  get expiresAt(): Date | null {
    return this.#lease.expiresAt
  }

  get ageMs(): number {
    return this.#lease.ageMs
  }

  /** Milliseconds since the last operation; 0 while one runs. */
  get idleMs(): number {
    return this.#lease.idleMs
  }

  get lastOperation(): string | null {
    return this.#lease.lastOperation
  }

  /** As Lease.renew. */
  renew(ttlMs?: number): Date | null {
    return this.#lease.renew(ttlMs)
  }

  /** As Lease.operation. */
  async operation<T>(name: string, run: () => Promise<T>): Promise<T> {
    return await this.#lease.operation(name, run)
  }

  /** As Lease.release. */
  release(): Promise<ReleaseVerdict> {
    this.#unwatch()
    return this.#lease.release()
  }

  /** As Lease.discard. */
  discard(): Promise<ReleaseVerdict> {
    this.#unwatch()
    return this.#lease.discard()
  }

  /** As Lease.kill. */
  kill(reason: GoneReason = 'killed'): void {
    this.#unwatch()
    this.#lease.kill(reason)
  }

  /** As Lease.parse. */
  async parse(
    format: string,
    options?: object,
    call: ParseCall = {},
  ): Promise<{ value: unknown; offset: number }> {
    return await this.#lease.parse(format, options, call)
  }

  /** As Lease.messages. */
  async *messages(
    format: string,
    options?: object,
    call: ParseCall = {},
  ): AsyncGenerator<unknown, void, undefined> {
    yield* this.#lease.messages(format, options, call)
  }

  /** As Lease.run. */
  async run(module: URL | string, argument?: unknown, call: ParseCall = {}): Promise<unknown> {
    return await this.#lease.run(module, argument, call)
  }

  /** As Lease.toDuplex. */
  toDuplex(): SocketDuplex {
    const duplex = this.#lease.toDuplex()
    this.#unwatch()
    return duplex
  }

  /** As Lease.toWeb. */
  toWeb(): WebStreams {
    const streams = this.#lease.toWeb()
    this.#unwatch()
    return streams
  }

  /** Discards, unless `release` was called. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.discard()
  }

  #unwatch(): void {
    watch.forget(this.#watched)
  }
}
