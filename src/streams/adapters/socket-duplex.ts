/**
 * A connection in the clothes of a `net.Socket`, for clients that were written for one: a Duplex with the properties,
 * methods and events that they touch. The bytes still go through the reader and the writer, which belong to the
 * duplex from now on.
 *
 *   peer ─► reader ─► push ─► 'data', 'readable'        write ─► writer ─► peer
 *
 * Reading begins when somebody wants bytes (or calls `connect`) and stops while nobody takes them. What a socket
 * option would change on the real socket is accepted and not done: Nagle is off already, keepalive is the pool's.
 */
import { Duplex } from 'node:stream'
import { SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import type { StreamReader } from '../reading/stream-reader.ts'
import { sendInPieces } from '../writing/send-in-pieces.ts'
import type { StreamWriter } from '../writing/stream-writer.ts'

/** The addresses of the connection, and what TLS came to, if it speaks TLS. */
export type SocketTraits = {
  readonly localAddress: string
  readonly localPort: number
  readonly remoteAddress: string
  readonly remotePort: number
  readonly tls: { readonly alpnProtocol: string | null; readonly authorized: boolean } | null
}

export type SocketDuplexParts = {
  readonly reader: StreamReader
  readonly writer: StreamWriter
  readonly traits: SocketTraits
  /** Whether the duplex keeps the process alive; called by `ref` and `unref`. */
  readonly keepAlive?: ((isOn: boolean) => void) | undefined
  /** The duplex is destroyed and the writer closing: the connection is nobody's any more. */
  readonly onDestroyed: () => void
}

type Family = 'IPv4' | 'IPv6'
type Settle = (error?: Error | null) => void

/** Bytes of one read at the most. */
const CHUNK_BYTES = 65_536

/**
 * Events as a socket's: 'connect' and 'ready' after `connect()`, 'timeout', 'end' once, 'close' with hadError. Errors
 * carry the system's codes (ECONNRESET, ETIMEDOUT, EPIPE) and the SockpoolError as their cause.
 *
 * `destroy` still sends what the outbound ring has taken, as a kernel would. With TLS `end()` closes both directions
 * once all is sent: TLS has no half-close here.
 */
export class SocketDuplex extends Duplex {
  readonly connecting = false
  readonly pending = false
  readonly localAddress: string
  readonly localPort: number
  readonly localFamily: Family
  readonly remoteAddress: string
  readonly remotePort: number
  readonly remoteFamily: Family
  /** Only on a connection that speaks TLS; undefined on a plain one, as on net.Socket. */
  readonly encrypted: true | undefined
  readonly authorized: boolean | undefined
  readonly alpnProtocol: string | false | undefined
  bytesRead = 0
  /** Milliseconds of `setTimeout`; 0: none. */
  timeout = 0
  readonly #parts: SocketDuplexParts
  #accepted = 0
  #inFlight = 0
  #isDetached = false
  #idle: NodeJS.Timeout | null = null
  /** Bytes unsent at the last sign of life: while they dwindle, the connection is not idle. */
  #unsentAtTouch = 0

  constructor(parts: SocketDuplexParts) {
    // As net.Socket: the end of one direction ends the other, and 'close' is emitted with hadError, so by hand.
    super({ allowHalfOpen: false, emitClose: false, autoDestroy: true })
    const { traits } = parts
    this.#parts = parts
    this.localAddress = traits.localAddress
    this.localPort = traits.localPort
    this.localFamily = familyOf(traits.localAddress)
    this.remoteAddress = traits.remoteAddress
    this.remotePort = traits.remotePort
    this.remoteFamily = familyOf(traits.remoteAddress)
    this.encrypted = traits.tls ? true : undefined
    this.authorized = traits.tls?.authorized
    this.alpnProtocol = traits.tls ? (traits.tls.alpnProtocol ?? false) : undefined
  }

  /** Bytes written, those that still wait included. */
  get bytesWritten(): number {
    return this.#accepted + this.writableLength - this.#inFlight
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
      // A connected socket reads, so that it hears of its end while nobody listens for data yet.
      if (!this.destroyed) this.read(0)
    })
    return this
  }

  address(): { address: string; port: number; family: Family } {
    return { address: this.localAddress, port: this.localPort, family: this.localFamily }
  }

  /** 'timeout' after `ms` without traffic in either direction; 0 never. Errors: RangeError below 0. */
  setTimeout(ms: number, listener?: () => void): this {
    if (!(ms >= 0)) throw new RangeError(`a timeout is 0 or more milliseconds, not ${ms}`)
    this.timeout = ms
    if (this.#idle) clearTimeout(this.#idle)
    const timer = ms > 0 && !this.destroyed
    this.#idle = timer ? setTimeout(() => this.#idled(), Math.min(ms, LIMITS.timerMsMax)).unref() : null
    if (listener && ms === 0) this.removeListener('timeout', listener)
    else if (listener) this.once('timeout', listener)
    return this
  }

  setNoDelay(): this {
    return this
  }

  setKeepAlive(): this {
    return this
  }

  /** The connection keeps the process alive again. */
  ref(): this {
    this.#parts.keepAlive?.(true)
    return this
  }

  /** The process may exit although the connection is open. */
  unref(): this {
    this.#parts.keepAlive?.(false)
    return this
  }

  /** Ends, and is gone once what was written has been accepted for sending. */
  destroySoon(): void {
    if (this.writable) this.end()
    if (this.writableFinished) this.destroy()
    else this.once('finish', () => this.destroy())
  }

  /** Drops what was written and is not sent yet. */
  resetAndDestroy(): this {
    this.#parts.writer.abort()
    return this.destroy()
  }

  /** Ends the duplex alone: the connection goes on without it. */
  detach(): void {
    this.#isDetached = true
    this.destroy()
  }

  override _read(): void {
    this.#parts.reader.read(CHUNK_BYTES).then(
      chunk => this.#received(chunk),
      error => this.destroy(systemError(error, 'read')),
    )
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, settle: Settle): void {
    this.#send([chunk], chunk.length, settle)
  }

  override _writev(list: { chunk: Buffer }[], settle: Settle): void {
    const chunks = list.map(({ chunk }) => chunk)
    this.#send(
      chunks,
      chunks.reduce((sum, { length }) => sum + length, 0),
      settle,
    )
  }

  override _final(settle: Settle): void {
    const { writer } = this.#parts
    if (writer.canWriteEof()) writer.writeEof()
    else writer.close()
    settle()
  }

  override _destroy(error: Error | null, settle: (error: Error | null) => void): void {
    if (this.#idle) clearTimeout(this.#idle)
    this.#idle = null
    if (!this.#isDetached) {
      const { writer } = this.#parts
      // The ring stands in for the kernel's buffer: what it has taken goes out. What found no room there is lost.
      if (writer.queued > 0 && this.#inFlight > 0) writer.abort()
      else writer.close()
      this.#parts.onDestroyed()
    }
    settle(error)
    process.nextTick(() => this.emit('close', error !== null))
  }

  #received(chunk: Buffer): void {
    if (this.destroyed) return
    this.bytesRead += chunk.length
    this.#touch()
    this.push(chunk.length === 0 ? null : chunk)
  }

  #send(chunks: readonly Buffer[], bytes: number, settle: Settle): void {
    const { writer } = this.#parts
    this.#accepted += bytes
    this.#inFlight = bytes
    const done: Settle = error => {
      this.#inFlight = 0
      this.#touch()
      settle(error)
    }
    // What the ring takes whole is as good as in the kernel, and done at once, as a socket's write mostly is.
    if (bytes <= LIMITS.writeHighWaterBytes && !writer.isClosing() && !writer.eofWritten) {
      writer.writeLines(chunks)
      if (writer.queued === 0) return done()
      chunks = []
    }
    sendInPieces(writer, chunks).then(
      () => done(),
      error => done(systemError(error, 'write')),
    )
  }

  /** A sign of life. */
  #touch(): void {
    if (this.#idle === null) return
    this.#unsentAtTouch = this.#parts.writer.buffered
    this.#idle.refresh()
  }

  #idled(): void {
    const { buffered } = this.#parts.writer
    if (buffered > 0 && buffered !== this.#unsentAtTouch) return this.#touch()
    this.emit('timeout')
  }
}

function familyOf(address: string): Family {
  return address.includes(':') ? 'IPv6' : 'IPv4'
}

/** Clients tell a lost connection by the system's codes. */
function systemError(error: unknown, syscall: 'read' | 'write'): Error {
  const code = systemCode(error, syscall)
  const message = error instanceof Error ? error.message : String(error)
  return Object.assign(new Error(`${syscall} ${code}: ${message}`, { cause: error }), { code, syscall })
}

function systemCode(error: unknown, syscall: 'read' | 'write'): string {
  if (!(error instanceof SockpoolError)) return syscall === 'read' ? 'ECONNRESET' : 'EPIPE'
  if (error.reason === 'ETIMEDOUT') return 'ETIMEDOUT'
  return error.code === 'WRITE_CLOSED' ? 'EPIPE' : 'ECONNRESET'
}
