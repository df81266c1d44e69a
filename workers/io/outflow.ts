/**
 * The way out: from the outbound ring to the kernel, all that is in the ring at a time, in one write where it goes over
 * the ring's end too. Its place in the ring is free again once the kernel has it; nothing is copied on the way.
 */
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { FaultGuard } from '../../src/base/fault-guard.ts'
import type { Channel } from '../../src/channel/channel.ts'
import type { RingConsumer } from '../../src/channel/ring.ts'
import type { Tenure } from '../../src/channel/tenure.ts'
import type { SHUT, ShutName } from '../../src/channel/values.ts'
import type { Vitals } from '../../src/channel/vitals.ts'
import type { MessageBalance } from './message-balance.ts'

export type OutflowDeps = {
  readonly channel: Channel
  readonly tenure: Tenure
  readonly guard: FaultGuard
  readonly vitals: Vitals
  /** Null where nothing is counted. */
  readonly balance: MessageBalance | null
  readonly ringHolder: () => void
  /** The kernel has taken a piece, or the thread should look again: to be answered by `flush`. */
  readonly onMore: () => void
}

/** Bytes that the kernel takes at once, but where a peer does not read. */
const SMALL_BYTES_MAX = 4_096

const NOTHING = Buffer.alloc(0)

/** A holder that keeps writing may not keep the thread. */
const WRITES_PER_TURN = 2

export class Outflow {
  readonly #deps: OutflowDeps
  #ring: RingConsumer
  #socket: Socket | null = null
  /** Bytes of the ring that were written and that the kernel has not taken yet. */
  #writing = 0
  /** Called for every piece, also for those that were taken at once and have been seen to. Null before the first. */
  #written: ((error?: Error | null) => void) | null = null

  constructor(deps: OutflowDeps) {
    this.#deps = deps
    this.#ring = deps.channel.outboundConsumer(deps.tenure)
  }

  /** The socket was given bytes that the kernel has not taken. */
  get isSending(): boolean {
    return this.#writing > 0 || (this.#socket?.writableLength ?? 0) > 0
  }

  /** The holder wrote bytes that the kernel has not taken. */
  get isUnsent(): boolean {
    return this.isSending || this.#ring.readable > 0
  }

  /**
   * Sends what is there, and asks to be rung for more. Returns what the holder asked for after its last byte, once
   * that is sent; `end` is asked before the ring is looked at: what was written before it is in the ring by then.
   */
  flush(socket: Socket, end: () => keyof typeof SHUT): ShutName | null {
    this.#socket = socket
    if (this.#writing > 0) return null
    for (let writes = 0; ; ) {
      const shut = end()
      const [piece, wrapped] = this.#ring.views()
      if (piece !== undefined) {
        if (writes++ === WRITES_PER_TURN) {
          setImmediate(() => this.#deps.onMore())
          return null
        }
        if (this.#tryWrite(socket, piece, wrapped)) continue
        return null
      }
      if (shut !== 'open') return shut
      if (this.#ring.wish(1)) return null
    }
  }

  /** Asks to be rung for the first byte; true where it is there already. */
  arm(): boolean {
    return !this.#ring.wish(1)
  }

  /** The ring's counters were moved from outside. */
  reopen(): void {
    this.#ring = this.#deps.channel.outboundConsumer(this.#deps.tenure)
  }

  /** True where the kernel took all of it at once; else `#written` goes on. */
  #tryWrite(socket: Socket, piece: Buffer, wrapped: Buffer | undefined): boolean {
    if (wrapped !== undefined) return this.#tryWriteBoth(socket, piece, wrapped)
    this.#writing = piece.length
    this.#deps.balance?.sent(piece)
    // A callback costs each write a tick of its own. Where one is needed after all, it is that of nothing, behind the piece.
    const isSmall = piece.length <= SMALL_BYTES_MAX && !(socket instanceof TLSSocket)
    if (isSmall) socket.write(piece)
    else socket.write(piece, this.#onWritten())
    if (socket.writableLength > 0) {
      if (isSmall) socket.write(NOTHING, this.#onWritten())
      return false
    }
    this.#sent()
    return true
  }

  #tryWriteBoth(socket: Socket, piece: Buffer, wrapped: Buffer): boolean {
    this.#writing = piece.length + wrapped.length
    this.#deps.balance?.sent(piece)
    this.#deps.balance?.sent(wrapped)
    socket.cork()
    socket.write(piece)
    socket.write(wrapped, this.#onWritten())
    socket.uncork()
    if (socket.writableLength > 0) return false
    this.#sent()
    return true
  }

  #onWritten(): (error?: Error | null) => void {
    this.#written ??= this.#deps.guard.action(error => this.#taken(error))
    return this.#written
  }

  #taken(error?: Error | null): void {
    if (error || this.#writing === 0 || this.#socket === null || this.#socket.destroyed) return
    if (this.#socket.writableLength > 0) return
    this.#sent()
    this.#deps.onMore()
  }

  #sent(): void {
    const count = this.#writing
    this.#writing = 0
    // Whoever has more to write had to wait for this.
    if (count === this.#ring.capacity) this.#deps.vitals.add('stallsOut', 1)
    this.#deps.vitals.count('bytesOut', count)
    if (this.#ring.consume(count)) this.#deps.ringHolder()
  }
}
