/**
 * The Sockets API of WinterTC (a draft) over `openConnection`: code that is written for it runs unchanged. A socket is
 * there at once and pending; its streams wait for the connection.
 */
import { type ErrorCode, SockpoolError } from '../base/errors.ts'
import { flagOption, optionsObject } from '../base/options.ts'
import { normaliseClientTls } from '../config/tls-options.ts'
import { type StreamEnds, type WebChunk, WebPair } from '../streams/adapters/web-pair.ts'
import { StreamWriter } from '../streams/writing/stream-writer.ts'
import { openConnection } from './open-connection.ts'

/** `[::1]:80` needs the brackets as a string; `hostname` takes an IPv6 address with or without. */
export type SocketAddress = string | { readonly hostname: string; readonly port: number }

export type SocketOptions = {
  /** `starttls`: plain at first, until `startTls()`. Default: `off`. */
  readonly secureTransport?: 'off' | 'on' | 'starttls' | undefined
  /** Whether the writable stays open when the peer has ended its direction; default: false. */
  readonly allowHalfOpen?: boolean | undefined
  /** The name asked for and verified by TLS; default: the host. Only with TLS, as are the next two. */
  readonly sni?: string | undefined
  readonly alpn?: readonly string[] | undefined
  /** Beyond the draft: the only authorities to trust, as PEM text; default: the platform's. */
  readonly ca?: string | undefined
}

/** Addresses as `host:port`; null where there is none. */
export type SocketInfo = {
  readonly remoteAddress: string | null
  readonly localAddress: string | null
  /** The protocol that TLS agreed on. */
  readonly alpn: string | null
}

/** The draft's error: a TypeError whose message begins with its name. The cause is the SockpoolError. */
export class SocketError extends TypeError {
  /** Of the cause; INVALID_REQUEST for what the caller said or did. */
  readonly code: ErrorCode

  constructor(message: string, options?: ErrorOptions) {
    super(`SocketError: ${message}`, options)
    this.name = 'SocketError'
    this.code = options?.cause instanceof SockpoolError ? options.cause.code : 'INVALID_REQUEST'
  }
}

type Plan = {
  readonly secureTransport: 'off' | 'on' | 'starttls'
  readonly allowHalfOpen: boolean
  readonly tls: { readonly servername: string; readonly alpn?: readonly string[]; readonly ca?: string }
}

/**
 * One connection. `connect` makes it, `startTls` its successor. One that the program has lost, and its streams with it,
 * is closed when they are collected, with a ResourceWarning; a wait for `closed` alone does not keep it.
 *
 * Source: WinterTC Sockets API, draft; where both streams are done the connection closes, and `closed` resolves.
 */
export class Socket {
  readonly readable: ReadableStream<Uint8Array>
  readonly writable: WritableStream<WebChunk>
  /** Resolves once connected, TLS included; rejects with a SocketError, or with the reason of `close`. */
  readonly opened: Promise<SocketInfo>
  /** Resolves when the connection has ended; rejects with a SocketError when there never was one. */
  readonly closed: Promise<void>
  readonly secureTransport: 'off' | 'on' | 'starttls'
  readonly #plan: Plan
  readonly #ends: Promise<StreamEnds>
  readonly #pair: WebPair
  readonly #settle: PromiseWithResolvers<void>
  readonly #info: PromiseWithResolvers<SocketInfo>
  readonly #giveUp: AbortController
  #isClosed = false
  #upgraded = false

  constructor(ends: Promise<StreamEnds>, plan: Plan, giveUp: AbortController) {
    this.secureTransport = plan.secureTransport
    this.#plan = plan
    this.#ends = ends
    this.#giveUp = giveUp
    this.#pair = new WebPair({
      ends,
      allowHalfOpen: plan.allowHalfOpen,
      adopt: socketError,
      onEnded: () => {
        this.#isClosed = true
      },
    })
    this.readable = this.#pair.readable
    this.writable = this.#pair.writable
    this.#info = Promise.withResolvers()
    this.#settle = Promise.withResolvers()
    this.opened = this.#info.promise
    this.closed = this.#settle.promise
    Socket.#follow(ends, this.#info, this.#settle, giveUp.signal)
  }

  /** Whether `startTls` has handed the connection on. */
  get upgraded(): boolean {
    return this.#upgraded
  }

  /** Ends both streams, with the reason if there is one, and the connection; `closed`. */
  close(reason?: unknown): Promise<void> {
    if (this.#isClosed) return this.closed
    this.#isClosed = true
    this.#info.reject(reason ?? new SocketError('the socket was closed before it was open'))
    this.#giveUp.abort(reason)
    this.#pair.end(reason)
    return this.closed
  }

  /**
   * Starts TLS on the connection and hands it to a new socket, whose `opened` tells how that went. This one's streams
   * end; what was written before goes out first, what nobody has read yet is a fault (`STARTTLS_INJECTION`).
   *
   * Errors: SocketError without `secureTransport: 'starttls'`, on a closed socket, and when called twice.
   */
  startTls(): Socket {
    if (this.secureTransport !== 'starttls')
      throw new SocketError("secureTransport must be set to 'starttls'")
    if (this.#upgraded) throw new SocketError('TLS was started already')
    if (this.#isClosed) throw new SocketError('the socket is closed')
    this.#upgraded = true
    this.#isClosed = true
    this.#pair.letGo(new SocketError('the connection was handed on by startTls()'))
    this.#settle.resolve()
    const { signal } = this.#giveUp
    const secured = this.#ends.then(async ends => {
      await ends.writer.startTls({ ...this.#plan.tls, signal })
      return ends
    })
    return new Socket(secured, { ...this.#plan, secureTransport: 'on' }, this.#giveUp)
  }

  /** Settles the socket's promises. What waits for the end refers neither to the socket nor to the program's ends. */
  static #follow(
    ends: Promise<StreamEnds>,
    info: PromiseWithResolvers<SocketInfo>,
    settle: PromiseWithResolvers<void>,
    givenUp: AbortSignal,
  ): void {
    // Who does not ask for them is told by the streams. Not in the constructor: its closures have the socket.
    for (const { promise } of [info, settle]) promise.catch(() => 'handled')
    ends.then(
      ({ writer }) => {
        info.resolve(infoOf(writer))
        // How it broke is the streams' to tell; the draft's `closed` resolves on a reset as well.
        new StreamWriter(writer).waitClosed().then(settle.resolve, () => settle.resolve())
      },
      error => {
        info.reject(socketError(error))
        if (givenUp.aborted) settle.resolve()
        else settle.reject(socketError(error))
      },
    )
  }
}

/**
 * Opens a connection; the socket is there at once and its promises tell how it goes.
 *
 * Errors: SocketError for an address or options that are malformed. Source: WinterTC Sockets API, draft.
 */
export function connect(address: SocketAddress, options: SocketOptions = {}): Socket {
  const { hostname, port } = parseAddress(address)
  const plan = judged(() => planOf(hostname, options))
  const giveUp = new AbortController()
  const opening = openConnection(hostname, port, {
    signal: giveUp.signal,
    ...(plan.secureTransport === 'on' && { tls: plan.tls }),
  })
  const ends = opening.then(([reader, writer]) => ({ reader, writer }))
  return new Socket(ends, plan, giveUp)
}

function planOf(hostname: string, options: SocketOptions): Plan {
  const { secureTransport = 'off', allowHalfOpen, sni, alpn, ca } = optionsObject(options)
  if (!['off', 'on', 'starttls'].includes(secureTransport))
    throw new SocketError("secureTransport is 'off', 'on' or 'starttls'")
  const asksForTls = sni !== undefined || alpn !== undefined || ca !== undefined
  if (secureTransport === 'off' && asksForTls)
    throw new SocketError("sni, alpn and ca need secureTransport 'on' or 'starttls'")
  // It is judged again where TLS starts; what is wrong with it is said at once.
  const { alpn: protocols, ca: authorities } = normaliseClientTls({ servername: sni, alpn, ca })
  const tls = {
    servername: sni ?? hostname,
    ...(protocols && { alpn: protocols }),
    ...(authorities !== undefined && { ca: authorities }),
  }
  return { secureTransport, allowHalfOpen: flagOption('allowHalfOpen', allowHalfOpen) ?? false, tls }
}

/** What is wrong with options, as the draft's error. */
function judged<T>(judge: () => T): T {
  try {
    return judge()
  } catch (error) {
    throw socketError(error)
  }
}

function parseAddress(address: SocketAddress): { hostname: string; port: number } {
  const { hostname, port } =
    typeof address === 'string' ? split(address) : judged(() => ({ ...optionsObject(address, 'address') }))
  const isPort = Number.isInteger(port) && port >= 1 && port <= 65_535
  if (typeof hostname !== 'string' || hostname === '' || !isPort)
    throw new SocketError('an address is host:port, or { hostname, port } with a port from 1 to 65535')
  const [, bracketed] = /^\[(.+)\]$/.exec(hostname) ?? []
  // In brackets it stands as in a URL.
  return { hostname: bracketed?.replace(/%25(?=.)/, '%') ?? hostname, port }
}

function split(address: string): { hostname: string; port: number } {
  const [, hostname = '', port = ''] = /^(\[[^\]]+\]|[^:[\]]+):(\d{1,5})$/.exec(address) ?? []
  return { hostname, port: Number(port) }
}

function infoOf(writer: StreamWriter): SocketInfo {
  const ssl = writer.getExtraInfo('ssl') as { readonly alpnProtocol?: string | null } | null
  return {
    remoteAddress: place(writer.getExtraInfo('peername')),
    localAddress: place(writer.getExtraInfo('sockname')),
    alpn: ssl?.alpnProtocol ?? null,
  }
}

function place(name: unknown): string | null {
  if (!Array.isArray(name)) return null
  const [address, port] = name as [string, number]
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}

function socketError(error: unknown): Error {
  if (error instanceof SocketError || !(error instanceof Error)) return error as Error
  const code = error instanceof SockpoolError ? ` (${error.code})` : ''
  return new SocketError(`${error.message}${code}`, { cause: error })
}
