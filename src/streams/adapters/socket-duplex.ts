/**
 * A connection in the clothes of a `net.Socket`, for clients that were written for one: a Duplex with the properties,
 * methods and events that they touch. The bytes still go through the reader and the writer, which belong to the
 * duplex from now on.
 *
 *   peer ─► reader ─► push ─► 'data', 'readable'        write ─► writer ─► peer
 *
 * Reading begins when somebody wants bytes and stops while nobody takes them; the end of the connection is told to
 * whoever listens for it, bytes or not. What a socket option would change on the real socket is accepted and not done:
 * Nagle is off already, keepalive is the pool's.
 *
 * A client sees what a net.Socket with `allowHalfOpen: false` does: at the peer's FIN 'end', then its own side ends,
 * 'finish', 'close'. With TLS or HTTP/2 on top this would cut off what the layer has not delivered yet, and refuse its
 * farewell. So then the layer ends this side and destroys the duplex, when it is done with both, and no 'close' comes
 * before that. The connection waits for neither: it is given back when both sides have ended, or so long after the
 * peer's end without a write. From then on the duplex is memory alone; what the layer still writes goes nowhere, as it
 * does in a kernel whose peer has gone.
 *
 * The connection does not keep a duplex that nobody listens to (Tether), nor do the calls that it makes by itself.
 */
import { StreamReader } from '../reading/stream-reader.ts'
import { StreamWriter } from '../writing/stream-writer.ts'
import { assertIdleTime, IdleTimer } from './idle-timer.ts'
import { LayerWatch } from './layer-watch.ts'
import { SocketFace, type SocketTraits } from './socket-face.ts'
import { type Settle, SocketOutput } from './socket-output.ts'
import { endedByPeer, systemError } from './system-error.ts'
import { Tether } from './tether.ts'

export type { SocketTraits } from './socket-face.ts'

export type SocketDuplexDeps = {
  readonly reader: StreamReader
  readonly writer: StreamWriter
  readonly traits: SocketTraits
  /** Whether the duplex keeps the process alive; called by `ref` and `unref`. */
  readonly keepAlive?: ((isOn: boolean) => void) | undefined
  /** The duplex has no use for the connection any more, and the writer closes: it is nobody's. */
  readonly onDestroyed: () => void
}

/** Bytes of one read at the most. */
const CHUNK_BYTES = 65_536

/** Who listens to one of these waits for the connection to do something. */
const WAITED_FOR = ['data', 'readable', 'end', 'close', 'timeout'] as const

/** Who listens to one of these hears of the connection's end, though nobody reads. */
const TOLD_OF_END = ['end', 'error', 'close'] as const

/**
 * Events as a socket's: 'connect' and 'ready' after `connect()`, 'timeout', 'end' once, 'close' with hadError. Errors
 * carry the system's codes (ECONNRESET, ETIMEDOUT, EPIPE, ECANCELED) and the SockpoolError as their cause.
 *
 * `destroy` still sends what the outbound ring has taken, as a kernel would. With TLS `end()` closes both directions
 * once all is sent: TLS has no half-close here.
 */
export class SocketDuplex extends SocketFace {
  bytesRead = 0
  /** Milliseconds of `setTimeout`; 0: none. */
  timeout = 0
  readonly #deps: SocketDuplexDeps
  /** Of the same stream as the part, but without its grip: a read that waits must not hold on to the lease. */
  readonly #reader: StreamReader
  readonly #tether = new Tether<SocketDuplex>(this)
  readonly #layer = new LayerWatch()
  readonly #output: SocketOutput
  /** The connection has ended, and nobody listened. */
  #isEndUntold = false
  /** It is destroyed, and the layer on it is not done. */
  #isCloseWithheld = false
  #idle: IdleTimer | null = null

  constructor(deps: SocketDuplexDeps) {
    super(deps.traits)
    this.#deps = deps
    this.#reader = new StreamReader({}, deps.reader)
    this.#output = new SocketOutput({
      writer: deps.writer,
      exception: () => deps.reader.exception(),
      isDestroyed: () => this.destroyed,
      isFarewell: () =>
        this.#layer.isLayered && deps.reader.ending !== null && deps.reader.exception() === null,
      onSent: () => this.#idle?.touch(),
      onLeft: deps.onDestroyed,
    })
    SocketDuplex.#hearEnd(deps.reader, this.#tether)
  }

  /** Apart from the constructor, whose other closures hold the duplex: closures of one call hold all that one does. */
  static #hearEnd(reader: StreamReader, tether: Tether<SocketDuplex>): void {
    reader.onEnd(() => tether.reach(duplex => duplex.#connectionEnded()))
  }

  /** Bytes written, those that still wait included. */
  get bytesWritten(): number {
    return this.#output.passed + this.writableLength
  }

  get readyState(): 'open' | 'readOnly' | 'writeOnly' | 'closed' {
    if (this.readable) return this.writable ? 'open' : 'readOnly'
    return this.writable ? 'writeOnly' : 'closed'
  }

  /** It is connected already, wherever the arguments point; the events come all the same, for who waits for them. */
  connect(...args: unknown[]): this {
    const listener = args.at(-1)
    if (typeof listener === 'function') this.once('connect', () => listener.call(this))
    process.nextTick(() => {
      if (this.destroyed) return
      this.emit('connect')
      this.emit('ready')
    })
    return this
  }

  /** 'timeout' after `ms` without traffic in either direction; 0 never. Errors: TypeError, RangeError. */
  setTimeout(ms: number, listener?: () => void): this {
    if (this.destroyed) return this
    assertIdleTime(ms, listener)
    this.timeout = ms
    this.#idle?.stop()
    this.#idle = ms > 0 ? this.#startIdleTimer(ms) : null
    if (listener && ms === 0) this.removeListener('timeout', listener)
    else if (listener) this.once('timeout', listener)
    return this
  }

  /** The connection keeps the process alive again. */
  ref(): this {
    this.#deps.keepAlive?.(true)
    return this
  }

  /** The process may exit although the connection is open. */
  unref(): this {
    this.#deps.keepAlive?.(false)
    return this
  }

  /** As any Duplex; after the peer's end has ended this side too it fails with EPIPE, as on net.Socket. */
  override write(chunk: unknown, written?: Settle): boolean
  override write(chunk: unknown, encoding: BufferEncoding, written?: Settle): boolean
  override write(chunk: unknown, second?: BufferEncoding | Settle, third?: Settle): boolean {
    const [encoding, written] = typeof second === 'function' ? [undefined, second] : [second, third]
    if (!this.#isEndedByPeer) return super.write(chunk, encoding as BufferEncoding, written)
    const error = endedByPeer()
    if (written !== undefined) process.nextTick(written, error)
    this.destroy(error)
    return false
  }

  override pause(): this {
    this.#layer.paused(this)
    return super.pause()
  }

  override resume(): this {
    this.#layer.resumed(this)
    return super.resume()
  }

  override destroy(error?: Error): this {
    // Node destroys a stream whose sides have both ended, and a layer does when it is done, in either order.
    if (this.#isCloseWithheld) {
      this.#isCloseWithheld = false
      this.#close(false)
    }
    return super.destroy(error)
  }

  /** Ends, and is gone once what was written has been accepted for sending. */
  destroySoon(): void {
    if (this.writable) this.end()
    if (this.writableFinished) this.destroy()
    else this.once('finish', () => this.destroy())
  }

  /** Drops what was written and is not sent yet. The peer may see an orderly end: no RST is asked of the kernel. */
  resetAndDestroy(): this {
    if (!this.destroyed) this.#output.abort()
    return this.destroy()
  }

  /** Ends the duplex alone: the connection goes on without it. */
  detach(): void {
    this.#output.leave('detached')
    this.destroy()
  }

  override _read(): void {
    const tether = this.#tether
    this.#reader.read(CHUNK_BYTES).then(
      chunk => tether.reach(duplex => duplex.#received(chunk)),
      error => tether.reach(duplex => duplex.destroy(systemError(error, 'read'))),
    )
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, settle: Settle): void {
    this.#output.send([chunk], settle)
  }

  override _writev(list: { chunk: Buffer }[], settle: Settle): void {
    const chunks = list.map(({ chunk }) => chunk)
    this.#output.send(chunks, settle)
  }

  override _final(settle: Settle): void {
    this.#output.finish()
    // A socket is never done within the call: what comes after end() in the same breath comes before 'finish'.
    setImmediate(settle)
  }

  override _destroy(error: Error | null, settle: (error: Error | null) => void): void {
    this.#idle?.stop()
    this.#idle = null
    this.#output.leave('left')
    settle(error)
    const hasEnded = this.readableEnded && this.writableFinished && error === null
    if (this.#layer.isLayered && hasEnded) this.#isCloseWithheld = true
    else this.#close(error !== null)
  }

  protected override listenersChanged(event: unknown): void {
    if (event === undefined || isOneOf(event, WAITED_FOR)) {
      if (!this.destroyed && this.#hasListeners(WAITED_FOR)) this.#tether.keep()
      else this.#tether.letGo()
    }
    if (this.#isEndUntold) this.#connectionEnded()
  }

  get #isEndedByPeer(): boolean {
    return this.readableEnded && this.writableEnded && !this.allowHalfOpen
  }

  /** A socket always reads, and so hears of its end; this duplex may not have been asked to. */
  #connectionEnded(): void {
    this.#isEndUntold = !this.#hasListeners(TOLD_OF_END)
    // Whoever adds one listener adds others in the same breath.
    if (!this.#isEndUntold) process.nextTick(() => this.destroyed || this.read(0))
  }

  #hasListeners(events: readonly string[]): boolean {
    return events.some(event => this.listenerCount(event) > 0)
  }

  #received(chunk: Buffer): void {
    if (this.destroyed) return
    this.bytesRead += chunk.length
    this.#idle?.touch()
    if (chunk.length > 0) this.push(chunk)
    else this.#peerEnded()
  }

  #peerEnded(): void {
    if (this.#layer.isLayered) {
      // Read when 'end' is emitted; the layer has copied it long before.
      this.allowHalfOpen = true
      this.#output.expectFarewell()
    }
    this.push(null)
    // Where nobody reads and nothing is left to read, only this makes the stream say that it has ended.
    this.read(0)
  }

  #close(hadError: boolean): void {
    this.#tether.letGo()
    // As late as a socket's, after the callbacks of its writes.
    setImmediate(() => this.emit('close', hadError))
  }

  #startIdleTimer(ms: number): IdleTimer {
    const tether = this.#tether
    // Without its grip, as the reader.
    const writer = new StreamWriter(this.#deps.writer)
    return new IdleTimer(ms, {
      unsent: () => writer.buffered,
      onIdle: () => tether.reach(duplex => duplex.emit('timeout')),
    })
  }
}

function isOneOf(event: unknown, events: readonly string[]): boolean {
  return events.some(other => other === event)
}
