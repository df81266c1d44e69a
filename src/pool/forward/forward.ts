/**
 * One forward: a listener in an I/O worker, and what becomes of its clients. In session mode they never leave that worker;
 * in the other modes their bytes come here, to a handler.
 *
 *   opening ──► listening ──► closed        its clients go on, and count until they are gone
 *                   └──────► failed         its worker died, and the address cannot be bound again
 */
import { isDeepStrictEqual } from 'node:util'
import { invariant, SockpoolError } from '../../base/errors.ts'
import type { ForwardConfig } from '../../config/forward.ts'
import type { BoundAddress, MovedBytes } from '../../threads/protocol.ts'
import type { Incoming } from '../../threads/thread-listeners.ts'
import { ForwardCounts, type ForwardStats } from './forward-counts.ts'
import type { BoundForward, ForwardServing, ServingPort } from './forward-ports.ts'
import { boundText, type ForwardModes, forwardTenant, listenSpecOf } from './forward-spec.ts'
import { SessionClients, type SessionPool } from './session-clients.ts'
import type { SessionLeases } from './session-leases.ts'

export type ForwardDeps = {
  readonly pool: SessionPool
  readonly serving: ServingPort
  readonly leases: SessionLeases
  /** What is done in the modes whose bytes come here. */
  readonly modes: ForwardModes
  readonly onRefused: (forward: string, error: SockpoolError) => void
  /** It listens no more: its worker died, and the address cannot be bound again. */
  readonly onFailed: (forward: string, error: Error) => void
  /** What a handler threw. */
  readonly onFault: (error: unknown) => void
}

export class Forward {
  readonly #deps: ForwardDeps
  readonly #counts = new ForwardCounts()
  readonly #sessions: SessionClients
  #config: ForwardConfig
  #listening: BoundForward | null = null
  #text: string
  #state: ForwardStats['state'] = 'closed'

  private constructor(config: ForwardConfig, deps: ForwardDeps) {
    this.#config = config
    this.#deps = deps
    this.#text = boundText(config.listen, undefined)
    this.#sessions = new SessionClients({
      config: () => this.#config,
      tenant: () => forwardTenant(this.#text),
      pool: deps.pool,
      counts: this.#counts,
      leases: deps.leases,
      onRefused: error => deps.onRefused(this.#text, error),
      onFault: deps.onFault,
    })
  }

  /** Binds, and serves. Errors: LISTEN_FAILED, DNS_FAILED, WORKER_LOST, INVALID_REQUEST for a mode that nobody serves. */
  static async open(config: ForwardConfig, deps: ForwardDeps): Promise<Forward> {
    const forward = new Forward(config, deps)
    await forward.#open()
    return forward
  }

  get config(): ForwardConfig {
    return this.#config
  }

  /** Where it listens, with the real port, as the configuration writes it. */
  get listen(): string {
    return this.#text
  }

  /** None once it is closed. */
  get addresses(): readonly BoundAddress[] {
    return this.#state === 'closed' ? [] : (this.#listening?.addresses ?? [])
  }

  /** Nobody is served any more, and nobody is left. */
  get isOver(): boolean {
    return this.#state === 'closed' && this.#clients === 0
  }

  /** Whether it can be what this configuration says without being bound anew. */
  mayBecome(config: ForwardConfig): boolean {
    const { listen, tls, mode } = this.#config
    const isBoundSo = isDeepStrictEqual([listen, tls, mode], [config.listen, config.tls, config.mode])
    return isBoundSo && this.#state === 'listening'
  }

  /** For those who come from now on. */
  become(config: ForwardConfig): void {
    invariant(this.mayBecome(config), 'a forward is bound as it was')
    this.#config = config
  }

  /** Stops listening; those who wait are turned away, those who are served go on. Safe to call twice. */
  async close(): Promise<void> {
    this.#state = 'closed'
    this.#sessions.refuseWaiting()
    await this.#listening?.close()
  }

  stats(): ForwardStats {
    const { target, mode } = this.#config
    const { accepted, served, refused, bytesIn, bytesOut } = this.#counts
    const { waiting } = this.#sessions
    const clients = this.#clients
    const state = this.#state
    return {
      listen: this.#text,
      target,
      mode,
      state,
      clients,
      waiting,
      accepted,
      served,
      refused,
      bytesIn,
      bytesOut,
    }
  }

  get #clients(): number {
    return this.#sessions.size + (this.#listening?.clients ?? 0)
  }

  async #open(): Promise<void> {
    const { serving, onFailed } = this.#deps
    const spec = listenSpecOf(this.#config)
    const failed = (error: Error): void => {
      this.#state = 'failed'
      this.#sessions.refuseWaiting()
      onFailed(this.#text, error)
    }
    this.#listening =
      this.#config.mode === 'session'
        ? await serving.watch(spec, incoming => this.#accept(incoming), failed)
        : await serving.serve(spec, this.#handling(), failed)
    this.#state = 'listening'
    this.#text = boundText(this.#config.listen, this.#listening.addresses[0])
    this.#listening.start()
  }

  #accept(incoming: Incoming): void {
    if (this.#state === 'listening') this.#sessions.accept(incoming)
    else incoming.refuse()
  }

  #handling(): ForwardServing {
    const { mode } = this.#config
    const handler = mode === 'session' ? undefined : this.#deps.modes.get(mode)
    if (handler === undefined)
      throw new SockpoolError('INVALID_REQUEST', `no forward is served in mode ${mode} here`)
    return {
      onError: this.#deps.onFault,
      handle: async (reader, writer, connection) => {
        this.#counts.accepted++
        const { target } = this.#config
        const onMoved = (moved: MovedBytes): void => this.#counts.move(moved)
        await handler({ reader, writer, connection, onMoved, target, tenant: forwardTenant(this.#text) })
        this.#counts.serve('done', { bytesIn: writer.offset, bytesOut: reader.offset })
      },
    }
  }
}
