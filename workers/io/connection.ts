/**
 * One connection in its I/O worker: a socket, its channel, and the rules that move bytes between them.
 *
 *   kernel ──onread──► inbound ring ──► holder          holder ──► outbound ring ──write──► kernel
 *              └─► scratch ─► #spill   (ring full, or the buffer of this read was fixed before the ring moved)
 *
 * The kernel (or TLS) reads straight into the ring: node asks for the buffer of the *next* read when a read's
 * callback returns. So a read may land in a piece that is no longer at the ring's tail, and is copied then. The
 * buffer is never empty: on TCP an empty one is ENOBUFS, on TLS it spins for ever. When the ring is full the
 * worker's scratch buffer stands in, the socket is paused, and what TLS still hands over goes to the spill.
 *
 * The epoch is the fence: while it is even nobody holds the connection, nothing is sent, and a byte that comes
 * in poisons it, unless it was never leased; then bytes are the peer's greeting and wait for the first lease.
 */
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { LIMITS } from '../../src/base/limits.ts'
import type { Channel, EndName, SHUT } from '../../src/channel/channel.ts'
import type { TurnRinger } from '../../src/channel/doorbell.ts'
import type { RingConsumer, RingProducer } from '../../src/channel/ring.ts'
import type { Vitals } from '../../src/channel/vitals.ts'
import type { Dialog } from '../../src/threads/protocol.ts'
import { DialogRun } from './dialog-run.ts'
import type { HolderBells } from './holder-bells.ts'
import { Settlement } from './settlement.ts'
import { endOf } from './socket-error.ts'

export type ConnectionParts = {
  readonly channel: Channel
  readonly generation: number
  /** The pool thread's doorbell, and those of whoever holds a channel. */
  readonly pool: TurnRinger
  readonly holders: HolderBells
  readonly vitals: Vitals
  /** One buffer per worker: a read is over before the next one begins. */
  readonly scratch: Buffer
  /** Wakes this thread's own look at its doorbell: it is awake anyway. */
  readonly stir: () => void
  /** The socket is gone and the channel's last word is published. */
  readonly onGone: () => void
}

/** What lies in the outbound ring is at most two pieces; a holder that keeps writing may not keep the thread. */
const PIECES_PER_TURN = 2

export class Connection {
  readonly channel: Channel
  readonly generation: number
  readonly #parts: ConnectionParts
  #in: RingProducer
  #out: RingConsumer
  #socket: Socket | null = null
  #onRelease: Dialog = []
  /** Bytes that came while the ring was full. At most what TLS hands over after it was told to pause. */
  #spill: Buffer[] = []
  #paused = false
  /** The last read was large. */
  #readsLarge = false
  /** Bytes of the ring that were written and that the kernel has not taken yet. */
  #writing = 0
  /** `lingers`: what was written is still sent, what comes is dropped; `closes`: then FIN. */
  #ending: 'open' | 'lingers' | 'closes' = 'open'
  #dropped = 0
  #dialog: DialogRun | null = null
  #settlement: Settlement | null = null
  #settledEpoch = 0
  #inbound: 'open' | EndName = 'open'
  #closed: EndName | null = null
  /** TLS is about to start: plain bytes go neither in nor out. */
  #isHushed = false
  /** The channel is somebody else's. */
  #isOver = false

  constructor(parts: ConnectionParts) {
    this.#parts = parts
    this.channel = parts.channel
    this.generation = parts.generation
    this.#in = parts.channel.inboundProducer()
    this.#out = parts.channel.outboundConsumer()
  }

  /**
   * The buffer for the next read, never empty. Small reads take the scratch buffer, which is warm and costs no new
   * view of the ring; once they grow, the kernel reads into the ring itself. Where a piece at the ring's end is short,
   * one copy is cheaper than two reads.
   */
  nextBuffer = (): Buffer => {
    const { scratch } = this.#parts
    if (this.#dialog || this.#spill.length > 0) return scratch
    if (this.#readsLarge) {
      const piece = this.#in.reserve()
      if (piece.length >= LIMITS.directReadBytesMin) return piece
    }
    const free = this.#in.freeUpTo(scratch.length)
    return free === scratch.length || free === 0 ? scratch : scratch.subarray(0, free)
  }

  /** `count` bytes came into the buffer that `nextBuffer` gave; false pauses the socket. */
  received = (count: number, buffer: Uint8Array): boolean => {
    this.#parts.vitals.count('bytesIn', count)
    this.#parts.stir()
    this.#readsLarge = count >= LIMITS.directReadBytesMin || count === buffer.length
    if (this.#dialog) {
      this.#dialog.received(Buffer.from(buffer.buffer, buffer.byteOffset, count))
      return true
    }
    if (this.#settlement) {
      this.#settlement.disturb('poisoned')
      return true
    }
    const { epoch } = this.channel
    if (this.#ending !== 'open') return this.#drop(count)
    if ((epoch & 1) === 0 && epoch !== 0) {
      if (this.channel.shut === 'close') return this.#drop(count)
      this.#destroy('poisoned')
      return false
    }
    this.#deliver(buffer, count)
    return !this.#pauseIfFull()
  }

  /** The socket is connected, TLS included: from now on the connection lives until its socket closes. */
  async open(socket: Socket, onConnect: Dialog, onRelease: Dialog): Promise<void> {
    this.#onRelease = onRelease
    this.#attend(socket)
    if (onConnect.length > 0) await this.#run(onConnect)
    this.#armOutbound()
  }

  /** The doorbell rang: the holder wrote, made room, shut, or let go. */
  rung(): void {
    // The epoch before the shut word: who ends a lease by closing stores the shut word first.
    const { epoch } = this.channel
    const { shut } = this.channel
    if (shut === 'abort') return this.destroy()
    const isLeased = (epoch & 1) === 1
    if (!isLeased && this.#closed !== null) return this.destroy()
    this.#resumeIfRoom()
    if (this.#socket === null || this.#closed !== null) return
    if (shut === 'close') this.#linger(this.#socket)
    if (isLeased || shut === 'close') this.#flush()
    else if (epoch !== 0 && epoch !== this.#settledEpoch) this.#release(epoch, shut)
  }

  destroy(how: EndName = 'closed'): void {
    this.#destroy(how)
  }

  /** Reads no more plain text and sends none; what had no room in the ring is the caller's. Null: it has ended. */
  hush(): { readonly socket: Socket; readonly spill: Buffer } | null {
    const socket = this.#socket
    if (socket === null || this.#closed !== null || this.#inbound !== 'open') return null
    this.#isHushed = true
    socket.pause()
    socket.removeAllListeners('data')
    const spill = Buffer.concat(this.#spill)
    this.#spill = []
    return { socket, spill }
  }

  /** Goes on with the TLS socket that wraps the hushed one. */
  secured(socket: Socket): void {
    // What the wrapped socket still reports is told by the one that wraps it.
    this.#socket
      ?.off('end', this.#onEnd)
      .off('error', this.#onError)
      .off('close', this.#onClose)
      .on('error', () => {})
    this.#isHushed = false
    this.#paused = false
    this.#attend(socket)
    this.feedFrom(socket)
    this.#flush()
  }

  /** For a socket that reads into buffers of its own: an accepted one, and one that wraps another. */
  feedFrom(socket: Socket): void {
    socket.on('data', (bytes: Buffer) => {
      if (!this.received(bytes.length, bytes)) socket.pause()
    })
  }

  /** The dial failed or was given up: the channel is about to serve another connection and is not touched again. */
  abandon(): void {
    this.#isOver = true
    this.#destroy('closed')
  }

  #onEnd = (): void => this.#finished()
  #onError = (error: Error): void => this.#broke(endOf(error))
  #onClose = (): void => this.#gone()

  #attend(socket: Socket): void {
    this.#socket = socket
    socket.on('end', this.#onEnd).on('error', this.#onError).on('close', this.#onClose)
    if (socket.readableEnded) this.#finished()
  }

  /** Makes the first `length` bytes of a buffer readable: in place where they lie there already, else by a copy. */
  #deliver(buffer: Uint8Array, length: number): void {
    if (this.#spill.length > 0) {
      this.#spill.push(Buffer.from(buffer.subarray(0, length)))
      return
    }
    const count = this.#in.isAtTail(buffer) ? length : this.#in.fill(buffer, length)
    if (count < length) this.#spill.push(Buffer.from(buffer.subarray(count, length)))
    if (count > 0 && this.#in.publish(count)) this.#ringHolder()
  }

  /** Pauses a socket whose ring is full until half of it is free; true when it is paused. */
  #pauseIfFull(): boolean {
    if (this.#spill.length === 0 && this.#in.freeUpTo(1) > 0) return false
    this.#paused = true
    this.#wishRoom()
    return true
  }

  #wishRoom(): void {
    if (!this.#in.wishRoom(this.#in.capacity >> 1) || this.#isHungry) setImmediate(() => this.#resumeIfRoom())
  }

  /** The holder waits for more than the ring holds, so it will not make more room before it has more bytes. */
  get #isHungry(): boolean {
    return this.#in.isAwaited && this.#in.free > 0
  }

  #resumeIfRoom(): void {
    if (!this.#paused || this.#isOver || this.#isHushed) return
    while (this.#spill[0] !== undefined && this.#in.free > 0) {
      const first = this.#spill[0]
      const count = this.#in.fill(first)
      if (this.#in.publish(count)) this.#ringHolder()
      if (count === first.length) this.#spill.shift()
      else this.#spill[0] = first.subarray(count)
    }
    if (this.#spill.length > 0) return this.#wishRoom()
    const isOpen = this.#inbound === 'open'
    if (isOpen && this.#in.free < this.#in.capacity >> 1 && !this.#isHungry) return this.#wishRoom()
    this.#paused = false
    if (isOpen) this.#socket?.resume()
    else this.#publishEnd()
  }

  /** Sends what the holder wrote, one piece of the ring at a time; its place is free again once the kernel has it. */
  #flush(): void {
    const socket = this.#socket
    if (this.#writing > 0 || this.#dialog || this.#isHushed || socket === null || this.#closed !== null)
      return
    for (let pieces = 0; ; ) {
      // The shut word before the ring: what was written before it is in the ring by then.
      const shut = this.#outboundEnd
      const piece = this.#out.first()
      if (piece.length > 0) {
        if (pieces++ === PIECES_PER_TURN) return this.#flushNextTurn()
        if (this.#tryWrite(socket, piece)) continue
        return
      }
      if (shut !== 'open') return this.#shut(socket, shut)
      if (this.#out.wish(1)) return
    }
  }

  /** TLS has no half-close: a peer that ends its direction ends the connection, after what was written. */
  get #outboundEnd(): keyof typeof SHUT {
    const { shut } = this.channel
    const endsByPeer = this.#inbound === 'fin' && this.#socket instanceof TLSSocket
    return endsByPeer && shut !== 'abort' ? 'close' : shut
  }

  /** True where the kernel took all of it at once; else `#written` goes on. */
  #tryWrite(socket: Socket, piece: Buffer): boolean {
    this.#writing = piece.length
    socket.write(piece, this.#written)
    if (socket.writableLength > 0) return false
    this.#sent()
    return true
  }

  /** Called for every piece, also for those that were taken at once and have been seen to. */
  #written = (error?: Error | null): void => {
    if (error || this.#writing === 0 || this.#isOver || this.#socket === null) return
    if (this.#socket.writableLength > 0) return
    this.#parts.stir()
    this.#sent()
    this.rung()
  }

  /** The kernel has what was written: its place in the ring is free again. */
  #sent(): void {
    const count = this.#writing
    this.#writing = 0
    this.#parts.vitals.count('bytesOut', count)
    if (this.#out.consume(count)) this.#ringHolder()
  }

  #flushNextTurn(): void {
    setImmediate(() => {
      if (!this.#isOver) this.rung()
    })
  }

  #shut(socket: Socket, how: Exclude<keyof typeof SHUT, 'open'>): void {
    switch (how) {
      case 'finish':
        socket.end()
        return
      case 'close':
        this.#linger(socket)
        if (this.#ending === 'closes') return
        this.#ending = 'closes'
        socket.destroySoon()
        return
      case 'abort':
        this.#destroy('closed')
        return
      default:
        how satisfies never
    }
  }

  /** What comes to a closing connection is read, for unread bytes would turn its close into a reset; within bounds. */
  #drop(count: number): boolean {
    this.#dropped += count
    return this.#dropped < LIMITS.closeDropBytes
  }

  /** A peer that takes nothing more may not hold a closing connection for ever. */
  #linger(socket: Socket): void {
    if (this.#ending !== 'open') return
    this.#ending = 'lingers'
    socket.resume()
    socket.setTimeout(LIMITS.closeLingerMs, () => socket.destroy())
  }

  /** The holder let go: close if it asked to, else look whether the connection may serve again. */
  #release(epoch: number, shut: keyof typeof SHUT): void {
    this.#settledEpoch = epoch
    const socket = this.#socket
    if (socket === null) return
    const settlement = new Settlement({
      isUnsent: () => this.#writing > 0 || socket.writableLength > 0 || this.#out.readable > 0,
      isUnread: () => this.#in.pending > 0 || this.#spill.length > 0,
      isHalfClosed: () => shut !== 'open' || this.#inbound !== 'open',
      runDialog: () => (this.#onRelease.length > 0 ? this.#run(this.#onRelease) : null),
    })
    this.#settlement = settlement
    void settlement.verdict.then(verdict => {
      this.#settlement = null
      if (this.#closed !== null) return
      if (verdict === 'clean') {
        this.channel.rewind()
        this.#in = this.channel.inboundProducer()
        this.#out = this.channel.outboundConsumer()
        this.#armOutbound()
      }
      this.channel.setVerdict(verdict)
      if (verdict !== 'clean') this.#destroy('closed')
      this.#parts.pool.ring(this.channel.number)
    })
  }

  /** Runs a dialog; whatever it leaves over is treated as bytes that came after it. */
  async #run(steps: Dialog): Promise<void> {
    const dialog = new DialogRun(steps, bytes => this.#socket?.write(bytes), LIMITS.dialogTimeoutMs)
    this.#dialog = dialog
    try {
      await dialog.done
    } finally {
      this.#dialog = null
    }
    for (const bytes of dialog.leftover) {
      if (this.#settlement) this.#settlement.disturb('poisoned')
      else this.#deliver(bytes, bytes.length)
    }
  }

  #armOutbound(): void {
    if (!this.#out.wish(1)) this.#parts.stir()
  }

  #finished(): void {
    this.#endInbound('fin')
    if (this.channel.isLeased) this.#flush()
  }

  #broke(how: EndName): void {
    this.#closed ??= this.#inbound === 'open' || this.#inbound === 'fin' ? how : this.#inbound
    this.#endInbound(how)
  }

  #endInbound(how: EndName): void {
    if (this.#inbound === 'open') this.#inbound = how
    this.#dialog?.fail('closed')
    this.#settlement?.disturb(how === 'fin' ? 'half_closed' : 'error')
    if (this.#spill.length === 0) this.#publishEnd()
    // Before its first lease the end is the greeting's, and the pool says who hears it.
    const { epoch } = this.channel
    if (how === 'fin' && epoch !== 0 && (epoch & 1) === 0 && this.#settlement === null)
      this.#destroy('closed')
  }

  #destroy(how: EndName): void {
    this.#closed ??= how
    if (this.#inbound === 'open') this.#inbound = how
    this.#spill = []
    this.#dialog?.fail('closed')
    this.#publishEnd()
    this.#socket?.destroy()
  }

  /** The socket's own last word. Bytes that still wait for room in the ring go first. */
  #gone(): void {
    this.#socket = null
    const orderly = this.#isHushed ? 'tls' : 'closed'
    this.#closed ??= this.#inbound === 'open' || this.#inbound === 'fin' ? orderly : this.#inbound
    if (this.#inbound === 'open') this.#inbound = this.#closed
    this.#dialog?.fail('closed')
    this.#settlement?.disturb('error')
    if (this.#spill.length === 0 || !this.channel.isLeased) this.#publishEnd()
  }

  #publishEnd(): void {
    if (this.#isOver) return
    if (this.#inbound !== 'open') this.channel.endInbound(this.#inbound)
    if (this.#closed !== null && this.#socket === null) {
      this.channel.close(this.#closed)
      this.#isOver = true
      this.#parts.onGone()
    }
    // Ends are the pool's to know, whoever holds the channel.
    this.#parts.pool.ring(this.channel.number)
    this.#ringHolder()
  }

  #ringHolder(): void {
    this.#parts.holders.ring(this.channel)
  }
}
