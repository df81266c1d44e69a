/**
 * A server: a listener in the I/O workers, and on the pool's thread the connections that it accepted, each with its
 * reader and writer for the handler. Every accepted connection is a lease of its own that is never reused.
 *
 *   bound ──► serving ──► closed        (close: from either; clients are left alone)
 */
import { SockpoolError } from '../../base/errors.ts'
import { aborted, Wait, type WaitOptions } from '../../base/wait.ts'
import { ownEnds } from '../../streams/adapters/unclosed-watch.ts'
import type { StreamReader } from '../../streams/reading/stream-reader.ts'
import type { StreamWriter } from '../../streams/writing/stream-writer.ts'
import type { IoConnection } from '../../threads/io-connection.ts'
import type { BoundAddress } from '../../threads/protocol.ts'
import type { Incoming, OnIncoming } from '../../threads/thread-listeners.ts'
import type { Lease } from '../lease/lease.ts'
import { DrainTimer } from './drain-timer.ts'

/**
 * Called once for each accepted connection. It closes the writer when it is done; nobody else does, but for one that
 * was lost: it is closed when it is collected, with a ResourceWarning.
 */
export type ConnectionHandler = (reader: StreamReader, writer: StreamWriter) => void | Promise<void>

export type ServerAddress = BoundAddress

export type CloseOptions = {
  /** Milliseconds that clients may stay; default: as long as they like. */
  readonly drainMs?: number | undefined
}

/** A bound listener, as a server needs it. */
export interface Listening {
  readonly addresses: readonly BoundAddress[]
  serve(): void
  close(): Promise<void>
}

export type ServerParts = {
  readonly handler: ConnectionHandler
  /** Clients at once at the most; who comes beyond is disconnected. */
  readonly maxConnections: number
  /** What a handler threw, or why the server stopped to listen. */
  readonly onError: (error: Error) => void
  readonly bind: (onIncoming: OnIncoming, onFailed: (error: Error) => void) => Promise<Listening>
  readonly lease: (connection: IoConnection) => Lease
  /** Whether the server keeps the process alive. */
  readonly keepAlive: (isOn: boolean) => void
  /** Called once: it is closed, and no client is left. */
  readonly onGone: () => void
}

export class Server implements AsyncDisposable {
  readonly #parts: ServerParts
  readonly #clients = new Set<Lease>()
  readonly #drain = new DrainTimer(() => this.abortClients())
  readonly #closes = new Set<Wait<void>>()
  #isGone = false
  #listening: Listening | null = null
  #address: ServerAddress = { address: '', port: 0, family: 'IPv4' }
  #state: 'bound' | 'serving' | 'closed' = 'bound'
  /** Accepted, and on their way to the handler. */
  #adopting = 0
  #isListening = true
  #forever: PromiseWithResolvers<void> | null = null

  private constructor(parts: ServerParts) {
    this.#parts = parts
  }

  /** A server that is bound and does not serve yet. Errors: LISTEN_FAILED, DNS_FAILED, WORKER_LOST. */
  static async bind(parts: ServerParts): Promise<Server> {
    const server = new Server(parts)
    const listening = await parts.bind(
      incoming => server.#accept(incoming),
      error => server.#failed(error),
    )
    server.#listening = listening
    server.#address = listening.addresses[0] ?? server.#address
    return server
  }

  /** The first address it was bound to, with the real port; also after it is closed. */
  get address(): ServerAddress {
    return this.#address
  }

  /** All addresses it listens on; none once it is closed. Source: asyncio.Server.sockets. */
  get addresses(): readonly ServerAddress[] {
    return this.#state === 'closed' ? [] : (this.#listening?.addresses ?? [])
  }

  /** Whether it accepts connections. */
  isServing(): boolean {
    return this.#state === 'serving'
  }

  /** Accepts from now on, first what waits already. Idempotent. Errors: INVALID_REQUEST when closed. */
  startServing(): void {
    if (this.#state === 'closed') throw new SockpoolError('INVALID_REQUEST', 'the server is closed')
    if (this.#state === 'serving') return
    this.#state = 'serving'
    this.#settle()
    this.#listening?.serve()
  }

  /**
   * Serves until `close()`, which ends it normally, or until the signal, after which the server and its clients are
   * closed, and awaited, and it rejects.
   *
   * Errors: INVALID_REQUEST when closed, or awaited already; ABORTED. Source: asyncio.Server.serve_forever.
   */
  async serveForever(options: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    const { signal } = options
    if (this.#forever !== null)
      throw new SockpoolError('INVALID_REQUEST', 'the server is already being awaited on serveForever()')
    this.startServing()
    const forever = Promise.withResolvers<void>()
    const onAbort = (): void => forever.resolve()
    this.#forever = forever
    signal?.addEventListener('abort', onAbort, { once: true })
    if (signal?.aborted) onAbort()
    await forever.promise
    this.#forever = null
    signal?.removeEventListener('abort', onAbort)
    if (!signal?.aborted) return
    this.close()
    this.closeClients()
    await this.waitClosed()
    throw aborted('serveForever()', signal)
  }

  /**
   * Stops listening; those that no handler has yet are disconnected. Idempotent. Clients are left alone, or with
   * `drainMs` (milliseconds) for that long: those that are there then are closed at once. Of several calls that say so
   * the soonest counts. `waitClosed` tells when it is over. Errors: INVALID_REQUEST for a `drainMs` that is none.
   */
  close({ drainMs }: CloseOptions = {}): void {
    if (drainMs !== undefined) this.#drain.within(drainMs)
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#forever?.resolve()
    const ended = (): void => {
      this.#isListening = false
      this.#settle()
    }
    this.#settle()
    this.#listening?.close().then(ended, ended)
  }

  /** Closes every client's connection after what was written to it. */
  closeClients(): void {
    for (const { writer } of [...this.#clients]) writer.close()
  }

  /** Closes every client's connection at once. */
  abortClients(): void {
    for (const { writer } of [...this.#clients]) writer.abort()
  }

  /**
   * Resolves when the server is closed and no client is left, whichever comes last. Errors: DRAIN_TIMEOUT, ABORTED: the
   * server goes on to close.
   */
  async waitClosed(options: WaitOptions = {}): Promise<void> {
    if (this.#isGone) return
    const wait = new Wait<void>('waitClosed()', 'DRAIN_TIMEOUT', options, () => this.#closes.delete(wait))
    this.#closes.add(wait)
    await wait.promise
  }

  /** Closes, and waits for the clients. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close()
    await this.waitClosed()
  }

  stats(): { readonly clients: number; readonly isServing: boolean } {
    return { clients: this.#count, isServing: this.isServing() }
  }

  get #count(): number {
    return this.#clients.size + this.#adopting
  }

  #accept(incoming: Incoming): void {
    if (this.#state !== 'serving' || this.#count >= this.#parts.maxConnections) return incoming.refuse()
    this.#adopting++
    this.#settle()
    incoming.adopt().then(
      connection => {
        this.#adopting--
        this.#adopted(connection)
        this.#settle()
      },
      error => {
        this.#adopting--
        incoming.refuse()
        // A client that hung up is not worth a word; that there is no room for clients is.
        if (error instanceof SockpoolError && error.code === 'QUEUE_FULL') this.#report(error)
        this.#settle()
      },
    )
  }

  #adopted(connection: IoConnection): void {
    if (connection.isGone) return
    const lease = this.#parts.lease(connection)
    this.#clients.add(lease)
    connection.listen({
      // It is asked for no verdict: it is never reused.
      onVerdict: () => {},
      onClosed: how => {
        lease.connectionLost(how)
        this.#clients.delete(lease)
        this.#settle()
      },
    })
    const end = (): Promise<unknown> => lease.release()
    void lease.writer.waitClosed().then(end, end)
    if (this.#state === 'closed') lease.writer.abort()
    else void this.#run(lease)
  }

  /** A handler that fails ends its own connection, and nothing else. */
  async #run(lease: Lease): Promise<void> {
    try {
      await this.#handle(lease)
    } catch (error) {
      lease.writer.close()
      const isCancelled = error instanceof Error && error.name === 'AbortError'
      if (!isCancelled) this.#report(error instanceof Error ? error : new Error(String(error)))
    }
  }

  /** A function of its own: while the handler runs, only the handler has the ends that it was given. */
  #handle(lease: Lease): void | Promise<void> {
    return this.#parts.handler(...ownEnds(lease))
  }

  #failed(error: Error): void {
    this.#report(error)
    this.close()
  }

  #report(error: Error): void {
    this.#parts.onError(error)
  }

  /** Tells who waits for the end, and keeps the process alive until then. */
  #settle(): void {
    const isGone = this.#state === 'closed' && !this.#isListening && this.#count === 0
    const isHeld = this.#state === 'serving' || this.#count > 0 || (this.#state === 'closed' && !isGone)
    this.#parts.keepAlive(isHeld)
    if (!isGone || this.#isGone) return
    this.#isGone = true
    this.#drain.stop()
    for (const wait of this.#closes) wait.resolve()
    this.#closes.clear()
    this.#parts.onGone()
  }
}
