/**
 * A server: a listener in the I/O workers, and on the pool's thread the connections that it accepted, each with its
 * reader and writer for the handler.
 *
 *   binding ──► bound ──► serving
 *                 └──close──┴──► closing ──nothing listens, and no client is left──► closed
 */
import { CallBounds } from '../../base/call-bounds.ts'
import { SockpoolError } from '../../base/errors.ts'
import { durationOption, optionsObject, signalOption } from '../../base/options.ts'
import { aborted, Wait, type WaitOptions } from '../../base/wait.ts'
import { ownEnds } from '../../streams/adapters/unclosed-watch.ts'
import type { StreamReader } from '../../streams/reading/stream-reader.ts'
import type { StreamWriter } from '../../streams/writing/stream-writer.ts'
import type { IoConnection } from '../../threads/io-connection.ts'
import type { BoundAddress } from '../../threads/protocol.ts'
import type { Incoming, OnIncoming } from '../../threads/thread-listeners.ts'
import type { LeaseEnds } from '../lease/lease-ends.ts'
import type { LeaseRecord } from '../lease/lease-record.ts'
import { DrainTimer } from './drain-timer.ts'

/**
 * Called once for each accepted connection. It closes the writer when it is done; nobody else does, but for one that
 * was lost: it is closed when it is collected, with a ResourceWarning.
 */
export type ConnectionHandler = (reader: StreamReader, writer: StreamWriter) => void | Promise<void>

/** As that, for who has to know where the two are. */
export type AcceptedHandler = (
  ...accepted: [...Parameters<ConnectionHandler>, IoConnection]
) => void | Promise<void>

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

export type ServerDeps = {
  readonly handler: AcceptedHandler
  /** Clients at once at the most; who comes beyond is disconnected. */
  readonly maxConnections: number
  /** What a handler threw, or why the server stopped to listen. */
  readonly onError: (error: Error) => void
  readonly bind: (onIncoming: OnIncoming, onFailed: (error: Error) => void) => Promise<Listening>
  /** Makes an accepted connection a lease of its own. */
  readonly adopt: (connection: IoConnection) => Client
  /** Whether the server keeps the process alive. */
  readonly keepAlive: (isOn: boolean) => void
  /** Called once: it is closed, and no client is left. */
  readonly onGone: () => void
}

/** One accepted connection. */
export type Client = { readonly record: LeaseRecord; readonly ends: LeaseEnds }

type State =
  | { readonly kind: 'binding' }
  | { readonly kind: 'bound' | 'serving'; readonly listening: Listening }
  | { readonly kind: 'closing'; readonly listens: boolean }
  | { readonly kind: 'closed' }

export class Server implements AsyncDisposable {
  readonly #deps: ServerDeps
  readonly #clients = new Set<Client>()
  readonly #drain = new DrainTimer(() => this.abortClients())
  readonly #closes = new Set<Wait<void>>()
  #address: ServerAddress = { address: '', port: 0, family: 'IPv4' }
  #state: State = { kind: 'binding' }
  /** Accepted, and on their way to the handler. */
  #adopting = 0
  #forever: PromiseWithResolvers<void> | null = null
  readonly #unbound = Promise.withResolvers<void>()

  private constructor(deps: ServerDeps) {
    this.#deps = deps
  }

  /** A server that is bound and does not serve yet. Errors: LISTEN_FAILED, DNS_FAILED, WORKER_LOST. */
  static async bind(deps: ServerDeps): Promise<Server> {
    const server = new Server(deps)
    const listening = await deps.bind(
      incoming => server.#accept(incoming),
      error => server.#failed(error),
    )
    server.#state = { kind: 'bound', listening }
    server.#address = listening.addresses[0] ?? server.#address
    return server
  }

  /** The first address it was bound to, with the real port; also after it is closed. */
  get address(): ServerAddress {
    return this.#address
  }

  /** All addresses it listens on; none once it is closed. Source: asyncio.Server.sockets. */
  get addresses(): readonly ServerAddress[] {
    return 'listening' in this.#state ? this.#state.listening.addresses : []
  }

  /** Whether it accepts connections. */
  isServing(): boolean {
    return this.#state.kind === 'serving'
  }

  /** Accepts from now on, first what waits already. Idempotent. Errors: INVALID_REQUEST when closed. */
  startServing(): void {
    const state = this.#state
    if (!('listening' in state)) throw new SockpoolError('INVALID_REQUEST', 'the server is closed')
    if (state.kind === 'serving') return
    const { listening } = state
    this.#state = { kind: 'serving', listening }
    this.#settle()
    listening.serve()
  }

  /**
   * Serves until `close()`, which ends it normally, or until the signal, after which the server and its clients are
   * closed, and awaited, and it rejects.
   *
   * Errors: INVALID_REQUEST when closed, or awaited already; ABORTED. Source: asyncio.Server.serve_forever.
   */
  async serveForever(options: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    const signal = signalOption('signal', optionsObject(options).signal)
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
  close(options: CloseOptions = {}): void {
    const drainMs = durationOption('drainMs', optionsObject(options).drainMs)
    if (drainMs !== undefined) this.#drain.within(drainMs)
    const state = this.#state
    if (!('listening' in state)) return
    this.#state = { kind: 'closing', listens: true }
    this.#forever?.resolve()
    const ended = (): void => {
      this.#state = { kind: 'closing', listens: false }
      this.#unbound.resolve()
      this.#settle()
    }
    this.#settle()
    state.listening.close().then(ended, error => {
      this.#report(error as Error)
      ended()
    })
  }

  /** Resolves once it is closed and its address is free, whatever clients are left. */
  get unbound(): Promise<void> {
    return this.#unbound.promise
  }

  /** Closes every client's connection after what was written to it. */
  closeClients(): void {
    for (const { ends } of [...this.#clients]) ends.writer.close()
  }

  /** Closes every client's connection at once. */
  abortClients(): void {
    for (const { ends } of [...this.#clients]) ends.writer.abort()
  }

  /**
   * Resolves when the server is closed and no client is left, whichever comes last. Errors: DRAIN_TIMEOUT, ABORTED: the
   * server goes on to close.
   */
  async waitClosed(options: WaitOptions = CallBounds.NONE): Promise<void> {
    const bounds = CallBounds.of(options)
    if (this.#state.kind === 'closed') return
    const wait = new Wait<void>('waitClosed()', 'DRAIN_TIMEOUT', bounds, () => this.#closes.delete(wait))
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
    if (this.#state.kind !== 'serving' || this.#count >= this.#deps.maxConnections) return incoming.refuse()
    this.#adopting++
    this.#settle()
    incoming
      .adopt()
      .then(
        connection => {
          this.#adopting--
          this.#adopted(connection)
        },
        error => {
          this.#adopting--
          incoming.refuse()
          // A client that hung up is not worth a word; that there is no room for clients is.
          if (error instanceof SockpoolError && error.code === 'QUEUE_FULL') this.#report(error)
        },
      )
      .catch(error => this.#report(error as Error))
      .finally(() => this.#settle())
  }

  #adopted(connection: IoConnection): void {
    if (connection.isGone) return
    const client = this.#deps.adopt(connection)
    const { record, ends } = client
    this.#clients.add(client)
    connection.listen({
      // It is never asked whether it may serve again: it may not.
      onChecked: () => {},
      onClosed: how => {
        record.connectionLost(how)
        record.forget()
        this.#clients.delete(client)
        this.#settle()
      },
    })
    if (this.#state.kind !== 'serving') ends.writer.abort()
    // It never rejects: what the handler throws is reported.
    else void this.#run(client, connection)
  }

  /** A handler that fails ends its own connection, and nothing else. */
  async #run({ ends }: Client, connection: IoConnection): Promise<void> {
    try {
      await this.#handle(ends, connection)
    } catch (error) {
      ends.writer.close()
      const isCancelled = error instanceof Error && error.name === 'AbortError'
      if (!isCancelled) this.#report(error instanceof Error ? error : new Error(String(error)))
    }
  }

  /** A function of its own: while the handler runs, only the handler has the ends that it was given. */
  #handle(ends: LeaseEnds, connection: IoConnection): void | Promise<void> {
    return this.#deps.handler(...ownEnds(ends), connection)
  }

  #failed(error: Error): void {
    this.#report(error)
    this.close()
  }

  #report(error: Error): void {
    this.#deps.onError(error)
  }

  /** Tells who waits for the end, and keeps the process alive until then. */
  #settle(): void {
    const state = this.#state
    if (state.kind === 'closed') return
    const isOver = state.kind === 'closing' && !state.listens && this.#count === 0
    this.#deps.keepAlive(!isOver && (state.kind === 'serving' || state.kind === 'closing' || this.#count > 0))
    if (!isOver) return
    this.#state = { kind: 'closed' }
    this.#drain.stop()
    for (const wait of this.#closes) wait.resolve()
    this.#closes.clear()
    this.#deps.onGone()
  }
}
