/**
 * A leased connection in the clothes of a `net.Socket`, for clients that were written for one: a Duplex with the
 * properties, methods and events that they touch. The bytes still go through the reader and the writer.
 *
 * What a socket option would change on the real socket is refused nowhere and done nowhere: `setNoDelay` is on
 * already, keepalive is the pool's. The connection never serves again afterwards.
 */
import { Duplex } from 'node:stream'
import { SockpoolError } from '../base/errors.ts'
import type { StreamReader } from './stream-reader.ts'
import type { StreamWriter } from './stream-writer.ts'

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
  /** The duplex is destroyed: the connection is nobody's any more. */
  readonly onDestroyed: () => void
}

const CHUNK_BYTES = 65_536

export class SocketDuplex extends Duplex {
  readonly #parts: SocketDuplexParts
  readonly connecting = false
  readonly pending = false
  readonly localAddress: string
  readonly localPort: number
  readonly remoteAddress: string
  readonly remotePort: number
  readonly remoteFamily: 'IPv4' | 'IPv6'
  readonly encrypted: true | undefined
  readonly authorized: boolean | undefined
  readonly alpnProtocol: string | false | undefined
  bytesRead = 0
  bytesWritten = 0
  timeout = 0
  #isReading = false
  #idle: NodeJS.Timeout | null = null

  constructor(parts: SocketDuplexParts) {
    // As net.Socket: the end of one direction ends the other, and 'close' says whether an error was the cause.
    super({ allowHalfOpen: false, emitClose: false, autoDestroy: true })
    const { traits } = parts
    this.#parts = parts
    this.localAddress = traits.localAddress
    this.localPort = traits.localPort
    this.remoteAddress = traits.remoteAddress
    this.remotePort = traits.remotePort
    this.remoteFamily = traits.remoteAddress.includes(':') ? 'IPv6' : 'IPv4'
    this.encrypted = traits.tls ? true : undefined
    this.authorized = traits.tls?.authorized
    this.alpnProtocol = traits.tls ? (traits.tls.alpnProtocol ?? false) : undefined
  }

  get readyState(): 'open' | 'readOnly' | 'writeOnly' | 'closed' {
    if (this.readable && this.writable) return 'open'
    if (this.readable) return 'readOnly'
    return this.writable ? 'writeOnly' : 'closed'
  }

  /** It is connected already; the event comes all the same, for clients that wait for it. */
  connect(...args: unknown[]): this {
    const listener = args.at(-1)
    if (typeof listener === 'function') this.once('connect', listener as () => void)
    process.nextTick(() => {
      if (!this.destroyed) this.emit('connect')
    })
    return this
  }

  address(): { address: string; port: number; family: string } {
    return { address: this.localAddress, port: this.localPort, family: this.remoteFamily }
  }

  /** 'timeout' after `ms` without traffic in either direction; 0 never. */
  setTimeout(ms: number, listener?: () => void): this {
    this.timeout = ms
    if (listener) {
      if (ms === 0) this.removeListener('timeout', listener)
      else this.once('timeout', listener)
    }
    this.#touch()
    return this
  }

  setNoDelay(): this {
    return this
  }

  setKeepAlive(): this {
    return this
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
  }

  /** Ends, and is gone once what was written has been sent. */
  destroySoon(): void {
    if (this.writable) this.end()
    if (this.writableFinished) this.destroy()
    else this.once('finish', () => this.destroy())
  }

  resetAndDestroy(): this {
    this.#parts.writer.abort()
    return this.destroy()
  }

  override _read(): void {
    if (this.#isReading) return
    this.#isReading = true
    void this.#pump()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.#send([chunk], callback)
  }

  override _writev(chunks: { chunk: Buffer }[], callback: (error?: Error | null) => void): void {
    this.#send(
      chunks.map(({ chunk }) => chunk),
      callback,
    )
  }

  override _final(callback: (error?: Error | null) => void): void {
    const { writer } = this.#parts
    if (writer.canWriteEof()) writer.writeEof()
    else writer.close()
    callback()
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    if (this.#idle) clearTimeout(this.#idle)
    const { writer } = this.#parts
    // What was written before an orderly end is still sent.
    if (error || !this.writableFinished) writer.abort()
    else writer.close()
    this.#parts.onDestroyed()
    callback(error)
    process.nextTick(() => this.emit('close', error !== null))
  }

  async #pump(): Promise<void> {
    try {
      for (;;) {
        const chunk = await this.#parts.reader.read(CHUNK_BYTES)
        if (this.destroyed) return
        this.bytesRead += chunk.length
        this.#touch()
        if (chunk.length === 0) {
          this.push(null)
          return
        }
        if (!this.push(chunk)) break
      }
      this.#isReading = false
    } catch (error) {
      this.destroy(asSystemError(error, 'read'))
    }
  }

  #send(chunks: readonly Buffer[], callback: (error?: Error | null) => void): void {
    const { writer } = this.#parts
    try {
      writer.writeLines(chunks)
    } catch (error) {
      callback(asSystemError(error, 'write'))
      return
    }
    for (const { length } of chunks) this.bytesWritten += length
    this.#touch()
    writer.drain().then(
      () => callback(),
      error => callback(asSystemError(error, 'write')),
    )
  }

  #touch(): void {
    if (this.#idle) clearTimeout(this.#idle)
    this.#idle = null
    if (this.timeout > 0 && !this.destroyed)
      this.#idle = setTimeout(() => this.emit('timeout'), this.timeout).unref()
  }
}

/** Clients tell a lost connection by the system's codes, so it has them here; our own error is the cause. */
function asSystemError(error: unknown, syscall: string): Error {
  const isLost = error instanceof SockpoolError && LOST.has(error.code)
  const code = isLost ? 'ECONNRESET' : 'EPIPE'
  const message = error instanceof Error ? error.message : String(error)
  return Object.assign(new Error(`${syscall} ${code}: ${message}`, { cause: error }), {
    code,
    errno: code,
    syscall,
  })
}

const LOST: ReadonlySet<string> = new Set(['CONNECTION_RESET', 'WORKER_LOST', 'LEASE_GONE', 'TLS_FAILED'])
