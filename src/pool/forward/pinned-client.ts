/**
 * A client that keeps its connection until it leaves: bytes flow both ways as they come.
 *
 *   open ──the client ends──► leaving ──it is owed nothing; the peer ends; time is up──► over
 *     └───the client breaks, the peer ends or breaks, either is ended by the pool──────► over
 *
 * What becomes of the connection then is the pool's to judge, as at any release: where its target has no dialog that
 * undoes what the client did, it is closed.
 */
import { LIMITS } from '../../base/limits.ts'
import { settledWithin } from '../../base/wait.ts'
import type { Frame } from '../../frames/frame.ts'
import type { StreamReader } from '../../streams/reading/stream-reader.ts'
import type { StreamWriter } from '../../streams/writing/stream-writer.ts'
import type { Held } from '../lease/exchange.ts'
import { releaseLease } from '../lease/release-lease.ts'
import { ExchangeCount } from './exchange-count.ts'

/** Both ends of a client's connection. */
export type ClientEnds = { readonly reader: StreamReader; readonly writer: StreamWriter }

type DirectionEnd = 'ended' | 'broke'

export class PinnedClient {
  readonly #client: ClientEnds
  readonly #held: Held
  readonly #count: ExchangeCount
  #isLeaving = false

  constructor(client: ClientEnds, held: Held, frame: Frame) {
    this.#client = client
    this.#held = held
    this.#count = new ExchangeCount(frame)
  }

  /**
   * Resolves when it is over, and the connection given back. `first`: what the client has said already. `leaveMs`:
   * milliseconds that a client which sends no more may still get answers. It never rejects.
   */
  async run(first: readonly Buffer[], leaveMs: number): Promise<void> {
    const { keeper, ends } = this.#held
    const { reader, writer } = this.#client
    const down = this.#pass(ends.reader, writer, bytes => this.#count.answered(bytes))
    const up = this.#pass(reader, ends.writer, bytes => this.#count.asked(bytes), first)
    const isLeaving = (await Promise.race([up, down.then(() => null)])) === 'ended'
    if (isLeaving && !this.#count.isEven) await this.#leave(down, leaveMs)
    await releaseLease(keeper, ends)
    writer.close()
    // The lease is over, and the client is: neither waits for anything any more.
    await Promise.all([up, down])
  }

  /** The peer hears that nothing more comes, where that can be said, and may say what it still has to. */
  async #leave(down: Promise<unknown>, leaveMs: number): Promise<void> {
    const { writer } = this.#held.ends
    this.#isLeaving = true
    try {
      if (writer.canWriteEof()) writer.writeEof()
    } catch {
      // It has ended meanwhile, which `down` tells.
    }
    await settledWithin(down, leaveMs)
  }

  /** Hands on what one says to the other, until either has ended. */
  async #pass(
    from: StreamReader,
    to: StreamWriter,
    passed: (bytes: Buffer) => void,
    first: readonly Buffer[] = [],
  ): Promise<DirectionEnd> {
    try {
      for (const bytes of first) {
        passed(bytes)
        to.write(bytes)
      }
      for (;;) {
        await to.drain()
        if (this.#isLeaving && this.#count.isEven) return 'ended'
        const bytes = await from.read(LIMITS.forwardReadBytes)
        if (bytes.length === 0) return 'ended'
        passed(bytes)
        to.write(bytes)
      }
    } catch {
      // Whichever of the two it was: there is nobody to hand anything on to, or nothing to hand on.
      return 'broke'
    }
  }
}
