/**
 * A lease of a service, in the hands of its program: the members of Lease, over HTTP. Reader and writer are those of every
 * other lease, over a stream that may be cut and go on.
 *
 * The program has a reader and a writer of its own, to which nothing else refers. Once it can reach none of them, nobody can
 * release the lease: it is discarded, with a warning, and not renewed any more.
 */
import { CallBounds } from '../base/call-bounds.ts'
import { type GoneReason, IncompleteReadError, SockpoolError } from '../base/errors.ts'
import { LossWatch, type Watched } from '../base/loss-watch.ts'
import type { WaitOptions } from '../base/wait.ts'
import type { ConnectionFacts } from '../pool/lease/connection-facts.ts'
import { Handover, type WebStreams } from '../pool/lease/handover.ts'
import { ttlOption } from '../pool/lease/lease-options.ts'
import type { ReleaseResult } from '../pool/target/release-result.ts'
import type { SocketDuplex } from '../streams/adapters/socket-duplex.ts'
import type { StreamReader } from '../streams/reading/stream-reader.ts'
import { StreamWriter } from '../streams/writing/stream-writer.ts'
import { readThere } from './lease-calls.ts'
import type { RemoteEnds } from './remote-ends.ts'
import type { RemoteKeeper } from './remote-keeper.ts'
import { RemoteReader } from './remote-reader.ts'
import { jsonOf } from './wire.ts'

const watch = new LossWatch<RemoteKeeper>(discardLost)

function discardLost(keeper: RemoteKeeper): void {
  if (keeper.gone !== null) return
  const text = `unreleased <Lease of ${keeper.target}>`
  if (typeof process === 'object')
    process.emitWarning(text, { type: 'ResourceWarning', code: 'SOCKPOOL_UNCLOSED' })
  else console.warn(text)
  void keeper.giveBack('discarded')
}

export class RemoteLease implements AsyncDisposable {
  readonly createdAt: Date = new Date()
  readonly #keeper: RemoteKeeper
  /** Of the same streams as the program's. */
  readonly #ends: RemoteEnds
  readonly #reader: RemoteReader
  readonly #writer: StreamWriter
  readonly #handover: Handover
  readonly #watched: Watched
  #released: Promise<ReleaseResult> | null = null

  constructor(ends: RemoteEnds) {
    const grip = {}
    this.#keeper = ends.keeper
    this.#ends = ends
    this.#reader = new RemoteReader(ends.frames, {}, ends.reader, grip)
    this.#writer = new StreamWriter(ends.writer, {}, grip)
    this.#watched = watch.watch(grip, ends.keeper)
    this.#handover = this.#makeHandover()
  }

  /** What every call over HTTP names the lease by: whoever has it and the token holds the lease. */
  get id(): string {
    return this.#keeper.id
  }

  get target(): string {
    return this.#keeper.target
  }

  get reused(): boolean {
    return this.#keeper.reused
  }

  get connection(): ConnectionFacts {
    return this.#keeper.connection
  }

  /** Why the lease has ended, as far as it is known here, or null. */
  get gone(): GoneReason | null {
    return this.#keeper.gone
  }

  /** As the service said last. It moves on with every operation, and by itself for as long as this program holds the lease. */
  get expiresAt(): Date | null {
    return this.#keeper.expiresAt
  }

  /** The stream opens with the first look at its reader or writer. */
  get reader(): StreamReader {
    this.#keeper.stream.touch()
    return this.#reader
  }

  get writer(): StreamWriter {
    this.#keeper.stream.touch()
    return this.#writer
  }

  /**
   * Renews the ttl, or sets a new one: the milliseconds after which the service takes a program that is silent for dead.
   * Infinity changes nothing: a lease is renewed for as long as its program lives. Errors: INVALID_REQUEST, LEASE_GONE,
   * SERVICE_UNREACHABLE.
   */
  async renew(ttlMs?: number): Promise<Date | null> {
    return await this.#keeper.renew(ttlOption(ttlMs))
  }

  /** As Lease.release. Where the service cannot be reached, the outcome is closed: the lease expires there. */
  release(): Promise<ReleaseResult> {
    watch.forget(this.#watched)
    this.#released ??= this.#release()
    return this.#released
  }

  /** Gives the connection back to be closed. */
  discard(): Promise<ReleaseResult> {
    watch.forget(this.#watched)
    return this.#keeper.giveBack('discarded')
  }

  /** The value of the next message, read and parsed by the service; bytes after it stay readable. Errors: as Lease.parse. */
  async parse(format: string, options?: object, call: WaitOptions = CallBounds.NONE): Promise<unknown> {
    const bounds = CallBounds.of(call)
    this.#keeper.assertHeld()
    const body = { format, ...(options !== undefined && { options }) }
    const answer = await readThere(this.#keeper, this.#ends.reader, { verb: 'parse', body }, bounds)
    return jsonOf<{ readonly value: unknown }>(answer).value
  }

  /** The messages to the end of the stream, each parsed as by `parse`. */
  async *messages(
    format: string,
    options?: object,
    call: WaitOptions = CallBounds.NONE,
  ): AsyncGenerator<unknown, void, undefined> {
    for (;;) {
      try {
        yield await this.parse(format, options, call)
      } catch (error) {
        if (error instanceof IncompleteReadError && error.partial.length === 0) return
        throw error
      }
    }
  }

  /** Errors: UNSUPPORTED. The module would run in the service, which runs its operator's code alone. */
  async run(): Promise<never> {
    throw await Promise.resolve(unsupported('lease.run()'))
  }

  /** As Lease.toDuplex; on Node alone. Errors: LEASE_GONE, INVALID_REQUEST; UNSUPPORTED elsewhere. */
  toDuplex(): SocketDuplex {
    this.#keeper.assertHeld()
    this.#keeper.stream.touch()
    return this.#handover.toDuplex()
  }

  /** As Lease.toWeb. */
  toWeb(): WebStreams {
    this.#keeper.assertHeld()
    this.#keeper.stream.touch()
    return this.#handover.toWeb()
  }

  /** Discards, unless `release` was called. */
  async [Symbol.asyncDispose](): Promise<void> {
    await (this.#released ?? this.discard())
  }

  async #release(): Promise<ReleaseResult> {
    const refusal = this.#ends.reasonToClose(this.#handover.heldBack)
    this.#handover.letGo()
    return await this.#keeper.giveBack(refusal)
  }

  #makeHandover(): Handover {
    return new Handover({
      reader: this.#reader,
      writer: this.#writer,
      traits: this.#keeper.connection,
      // The stream's socket is the runtime's.
      keepAlive: () => {},
      onBegun: () => {},
      onEnded: () => void (this.#ends.reader.exception() === null ? this.release() : this.discard()),
    })
  }
}

export function unsupported(call: string): SockpoolError {
  return new SockpoolError(
    'UNSUPPORTED',
    `${call} runs code beside the connection, which a service does not take from its callers`,
  )
}
