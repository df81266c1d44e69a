/** The servers of one pool: what they need of it, and their end with it. */
import { SockpoolError } from '../../base/errors.ts'
import type { IoConnection } from '../../threads/io-connection.ts'
import type { ListenSpec } from '../../threads/protocol.ts'
import type { OnIncoming } from '../../threads/thread-listeners.ts'
import { LeaseEnds } from '../lease/lease-ends.ts'
import { LeaseRecord } from '../lease/lease-record.ts'
import type { LoanPort } from '../lease/parse-port.ts'
import { termsOfAccepted } from './accepted-connection.ts'
import { type AcceptedHandler, type Client, type Listening, Server } from './server.ts'

/** The I/O workers, as servers need them. */
export interface ListenerFleet {
  listen(
    spec: ListenSpec,
    onIncoming: OnIncoming,
    onFailed: (error: SockpoolError) => void,
  ): Promise<Listening>
}

export type ServersDeps = {
  readonly fleet: ListenerFleet
  readonly parse: LoanPort
  readonly now: () => number
  /** A fault of ours, which concerned one client and closed its connection. */
  readonly onFault: (error: unknown) => void
  /** A switch that holds the process alive, off at first. */
  readonly makeHold: () => (isOn: boolean) => void
}

export type ListenOptions = {
  /** Bytes; the limit of each client's reader, default 65,536. */
  readonly limit?: number | undefined
  /** Clients at once at the most; default: no bound but the pool's channels. */
  readonly maxConnections?: number | undefined
  /** False binds and accepts only after `startServing()`; default: true. */
  readonly startServing?: boolean | undefined
  /** Told what a handler threw; default: a process warning. */
  readonly onError?: ((error: Error) => void) | undefined
}

export class Servers {
  readonly #deps: ServersDeps
  readonly #servers = new Set<Server>()
  #isClosed = false

  constructor(deps: ServersDeps) {
    this.#deps = deps
  }

  /** Errors: LISTEN_FAILED, DNS_FAILED, WORKER_LOST, INVALID_REQUEST, DRAINING. */
  async listen(handler: AcceptedHandler, spec: ListenSpec, options: ListenOptions): Promise<Server> {
    const { fleet, makeHold } = this.#deps
    const { maxConnections = Infinity, startServing = true, onError } = options
    this.#assertOpen()
    const keepAlive = makeHold()
    // The worker answers by messages, which keep no process alive.
    keepAlive(true)
    try {
      const server: Server = await Server.bind({
        handler,
        maxConnections,
        onError: error => report(error, onError),
        bind: (onIncoming, onFailed) => fleet.listen(spec, onIncoming, onFailed),
        adopt: connection => this.#adopt(connection, spec, options.limit),
        keepAlive,
        onGone: () => this.#servers.delete(server),
      })
      this.#servers.add(server)
      if (this.#isClosed) server.close()
      this.#assertOpen()
      if (startServing) server.startServing()
      else keepAlive(false)
      return server
    } catch (error) {
      keepAlive(false)
      throw error
    }
  }

  get clients(): number {
    return [...this.#servers].reduce((sum, server) => sum + server.stats().clients, 0)
  }

  /** No new clients; the present ones stay. */
  close(): void {
    this.#isClosed = true
    for (const server of this.#servers) server.close()
  }

  abortClients(): void {
    for (const server of this.#servers) server.abortClients()
  }

  /** Resolves when no server and no client is left. */
  async waitClosed(): Promise<void> {
    await Promise.all([...this.#servers].map(server => server.waitClosed()))
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new SockpoolError('DRAINING', 'the pool is closed')
  }

  /** Every accepted connection is a lease of its own that is never reused. */
  #adopt(connection: IoConnection, { where }: ListenSpec, limit: number | undefined): Client {
    const { parse, now, onFault } = this.#deps
    const target = where.kind === 'unix' ? `unix:${where.path}` : `port ${connection.facts.localPort}`
    const record = new LeaseRecord({
      terms: termsOfAccepted(target, ''),
      connection,
      parse,
      now,
      giveBack: (refusal, graceful) => {
        if (graceful) connection.leaveClosing()
        else connection.abort()
        return Promise.resolve({ outcome: 'closed', reason: refusal ?? 'policy' })
      },
      // The server holds the process for as long as the connection is there.
      keepAlive: () => {},
      onExpired: () => {},
      onEnded: () => {},
      onLeak: () => {},
      onFault,
    })
    const ends = record.begin(0, keeper => new LeaseEnds(keeper, { limit, onReset: 'raise', side: 'server' }))
    return { record, ends }
  }
}

/** Whatever a program's own report does, the server goes on. */
function report(error: Error, onError: ((error: Error) => void) | undefined): void {
  try {
    if (onError) return onError(error)
    warn(error)
  } catch (fault) {
    warn(fault instanceof Error ? fault : new Error(String(fault)))
  }
}

function warn(error: Error): void {
  process.emitWarning('Unhandled exception in a connection handler', {
    type: 'SockpoolWarning',
    code: 'SOCKPOOL_HANDLER',
    detail: error.stack ?? error.message,
  })
}
