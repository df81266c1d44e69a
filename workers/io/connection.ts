/**
 * One connection in its I/O worker: a socket, its channel, and the rules that move bytes between them.
 *
 *   kernel ──► Inflow ──► inbound ring ──► holder ──► outbound ring ──► Outflow ──► kernel
 *
 * The epoch is the fence: while it is even nobody holds the connection, nothing is sent, and a byte that comes
 * in poisons it, unless it was never leased; then bytes are the peer's greeting and wait for the first lease.
 */
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { LIMITS } from '../../src/base/limits.ts'
import type { Channel, EndName, SHUT, ShutName } from '../../src/channel/channel.ts'
import type { Dialog } from '../../src/threads/protocol.ts'
import type { ConnectionParts } from './connection-parts.ts'
import { DialogRun } from './dialog-run.ts'
import { Inflow } from './inflow.ts'
import { Linger } from './linger.ts'
import { Outflow } from './outflow.ts'
import { Settlement } from './settlement.ts'
import { endOf } from './socket-error.ts'

export class Connection {
  readonly channel: Channel
  readonly generation: number
  readonly #parts: ConnectionParts
  readonly #inflow: Inflow
  readonly #outflow: Outflow
  #socket: Socket | null = null
  #onRelease: Dialog = []
  readonly #linger = new Linger()
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
    const { channel, scratch, vitals } = parts
    const ringHolder = (): void => this.#ringHolder()
    this.#inflow = new Inflow({ channel, scratch, ringHolder, onRoom: () => this.#resumeIfRoom() })
    this.#outflow = new Outflow({ channel, vitals, ringHolder, onMore: () => this.#more() })
  }

  /** The buffer for the next read, never empty. */
  nextBuffer = (): Buffer => (this.#dialog ? this.#parts.scratch : this.#inflow.nextBuffer())

  /** `count` bytes came into the buffer that `nextBuffer` gave; false pauses the socket. */
  received = (count: number, buffer: Uint8Array): boolean => {
    this.#parts.vitals.count('bytesIn', count)
    this.#parts.stir()
    if (this.#dialog) {
      this.#dialog.received(Buffer.from(buffer.buffer, buffer.byteOffset, count))
      return true
    }
    if (this.#settlement) {
      this.#settlement.disturb('poisoned')
      return true
    }
    const { epoch } = this.channel
    if (!this.#linger.isOpen) return this.#linger.drop(count)
    if ((epoch & 1) === 0 && epoch !== 0) {
      if (this.channel.shut === 'close') return this.#linger.drop(count)
      this.#destroy('poisoned')
      return false
    }
    this.#inflow.deliver(buffer, count)
    return !this.#inflow.pauseIfFull()
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
    if (shut === 'close') this.#linger.begin(this.#socket)
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
    return { socket, spill: this.#inflow.takeSpill() }
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
    this.#inflow.unpause()
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

  #resumeIfRoom(): void {
    if (this.#isOver || this.#isHushed) return
    const isOpen = this.#inbound === 'open'
    if (!this.#inflow.tryResume(isOpen)) return
    if (isOpen) this.#socket?.resume()
    else this.#publishEnd()
  }

  /** Sends what the holder wrote, and then does as it asked. */
  #flush(): void {
    const socket = this.#socket
    if (this.#dialog || this.#isHushed || socket === null || this.#closed !== null) return
    const shut = this.#outflow.flush(socket, () => this.#outboundEnd)
    if (shut !== null) this.#shut(socket, shut)
  }

  #more(): void {
    if (this.#isOver) return
    this.#parts.stir()
    this.rung()
  }

  /** TLS has no half-close: a peer that ends its direction ends the connection, after what was written. */
  get #outboundEnd(): keyof typeof SHUT {
    const { shut } = this.channel
    const endsByPeer = this.#inbound === 'fin' && this.#socket instanceof TLSSocket
    return endsByPeer && shut !== 'abort' ? 'close' : shut
  }

  #shut(socket: Socket, how: ShutName): void {
    switch (how) {
      case 'finish':
        socket.end()
        return
      case 'close':
        this.#linger.close(socket)
        return
      case 'abort':
        this.#destroy('closed')
        return
      default:
        how satisfies never
    }
  }

  /** The holder let go: close if it asked to, else look whether the connection may serve again. */
  #release(epoch: number, shut: keyof typeof SHUT): void {
    this.#settledEpoch = epoch
    const socket = this.#socket
    if (socket === null) return
    const settlement = new Settlement({
      isUnsent: () => socket.writableLength > 0 || this.#outflow.isUnsent,
      isUnread: () => this.#inflow.isUnread,
      isHalfClosed: () => shut !== 'open' || this.#inbound !== 'open',
      runDialog: () => (this.#onRelease.length > 0 ? this.#run(this.#onRelease) : null),
    })
    this.#settlement = settlement
    void settlement.verdict.then(verdict => {
      this.#settlement = null
      if (this.#closed !== null) return
      if (verdict === 'clean') {
        this.channel.rewind()
        this.#inflow.reopen()
        this.#outflow.reopen()
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
      else this.#inflow.deliver(bytes, bytes.length)
    }
  }

  #armOutbound(): void {
    if (this.#outflow.arm()) this.#parts.stir()
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
    if (!this.#inflow.hasSpill) this.#publishEnd()
    // Before its first lease the end is the greeting's, and the pool says who hears it.
    const { epoch } = this.channel
    if (how === 'fin' && epoch !== 0 && (epoch & 1) === 0 && this.#settlement === null)
      this.#destroy('closed')
  }

  #destroy(how: EndName): void {
    this.#closed ??= how
    if (this.#inbound === 'open') this.#inbound = how
    this.#inflow.takeSpill()
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
    if (!this.#inflow.hasSpill || !this.channel.isLeased) this.#publishEnd()
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
