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
import { Settlement } from './settlement.ts'
import { endOf } from './socket-error.ts'

export type ConnectionParts = {
  readonly channel: Channel
  readonly generation: number
  /** The pool thread's doorbell. */
  readonly pool: TurnRinger
  readonly vitals: Vitals
  /** One buffer per worker: a read is over before the next one begins. */
  readonly scratch: Buffer
  /** Wakes this thread's own look at its doorbell: it is awake anyway. */
  readonly stir: () => void
  /** The socket is gone and the channel's last word is published. */
  readonly onGone: () => void
}

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
  #writing = false
  /** `lingers`: what was written is still sent, nothing is read any more; `closes`: then FIN. */
  #ending: 'open' | 'lingers' | 'closes' = 'open'
  #dialog: DialogRun | null = null
  #settlement: Settlement | null = null
  #settledEpoch = 0
  #inbound: 'open' | EndName = 'open'
  #closed: EndName | null = null
  /** The channel is somebody else's. */
  #isOver = false

  constructor(parts: ConnectionParts) {
    this.#parts = parts
    this.channel = parts.channel
    this.generation = parts.generation
    this.#in = parts.channel.inboundProducer()
    this.#out = parts.channel.outboundConsumer()
  }

  /** The buffer for the next read, never empty. */
  nextBuffer = (): Buffer => {
    if (this.#dialog || this.#spill.length > 0) return this.#parts.scratch
    const piece = this.#in.reserve()
    if (piece.length >= LIMITS.directReadBytesMin) return piece
    // Near the ring's end a piece may be a few bytes long while the ring is empty: one copy is cheaper than two reads.
    const { free } = this.#in
    if (free === 0) return this.#parts.scratch
    return free > piece.length ? this.#parts.scratch.subarray(0, free) : piece
  }

  /** `count` bytes came into the buffer that `nextBuffer` gave; false pauses the socket. */
  received = (count: number, buffer: Uint8Array): boolean => {
    this.#parts.vitals.add('bytesIn', count)
    this.#parts.stir()
    const bytes = Buffer.from(buffer.buffer, buffer.byteOffset, count)
    if (this.#dialog) {
      this.#dialog.received(bytes)
      return true
    }
    if (this.#settlement) {
      this.#settlement.disturb('poisoned')
      return true
    }
    const { epoch } = this.channel
    if ((epoch & 1) === 0 && epoch !== 0) {
      // Whoever has asked to close does not mind what still comes, but that its own last bytes go out.
      if (this.channel.shut === 'close') return false
      this.#destroy('poisoned')
      return false
    }
    this.#deliver(bytes)
    return !this.#pauseIfFull()
  }

  /** The socket is connected, TLS included: from now on the connection lives until its socket closes. */
  async open(socket: Socket, onConnect: Dialog, onRelease: Dialog): Promise<void> {
    this.#socket = socket
    this.#onRelease = onRelease
    socket.on('end', () => this.#finished())
    socket.on('error', error => this.#broke(endOf(error)))
    socket.on('close', () => this.#gone())
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

  destroy(): void {
    this.#destroy('closed')
  }

  /** The dial failed or was given up: the channel is about to serve another connection and is not touched again. */
  abandon(): void {
    this.#isOver = true
    this.#destroy('closed')
  }

  #deliver(bytes: Buffer): void {
    if (this.#spill.length > 0) {
      this.#spill.push(Buffer.from(bytes))
      return
    }
    const inPlace = this.#in.isAtTail(bytes)
    const count = inPlace ? bytes.length : this.#in.fill(bytes)
    if (count < bytes.length) this.#spill.push(Buffer.from(bytes.subarray(count)))
    if (count > 0 && this.#in.publish(count)) this.#ringHolder()
  }

  /** Pauses a socket whose ring is full until half of it is free; true when it is paused. */
  #pauseIfFull(): boolean {
    if (this.#in.free > 0 && this.#spill.length === 0) return false
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
    if (!this.#paused || this.#isOver) return
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
    if (this.#writing || this.#dialog || socket === null || this.#closed !== null) return
    for (;;) {
      // The shut word before the ring: what was written before it is in the ring by then.
      const shut = this.#outboundEnd
      const piece = this.#out.first()
      if (piece.length > 0) return this.#write(socket, piece)
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

  #write(socket: Socket, piece: Buffer): void {
    this.#writing = true
    socket.write(piece, error => {
      this.#writing = false
      if (error) return
      this.#parts.vitals.add('bytesOut', piece.length)
      if (this.#out.consume(piece.length)) this.#ringHolder()
      this.rung()
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

  /** A connection that closes reads no more, and a peer that takes nothing more may not hold it for ever. */
  #linger(socket: Socket): void {
    if (this.#ending !== 'open') return
    this.#ending = 'lingers'
    socket.pause()
    socket.setTimeout(LIMITS.closeLingerMs, () => socket.destroy())
  }

  /** The holder let go: close if it asked to, else look whether the connection may serve again. */
  #release(epoch: number, shut: keyof typeof SHUT): void {
    this.#settledEpoch = epoch
    const socket = this.#socket
    if (socket === null) return
    const settlement = new Settlement({
      isUnsent: () => this.#writing || socket.writableLength > 0 || this.#out.readable > 0,
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
      else this.#deliver(bytes)
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
    this.#closed ??= this.#inbound === 'open' || this.#inbound === 'fin' ? 'closed' : this.#inbound
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
    this.#ringHolder()
  }

  #ringHolder(): void {
    this.#parts.pool.ring(this.channel.number)
  }
}
