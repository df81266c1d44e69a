/** The forwards of one pool: opened together, replaced by a reload, closed with it. */
import { SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import { formatAddress } from '../../config/address.ts'
import type { ForwardConfig } from '../../config/forward.ts'
import type { BoundAddress } from '../../threads/protocol.ts'
import { Forward, type ForwardDeps } from './forward.ts'
import type { ForwardStats } from './forward-counts.ts'
import type { ForwardHandler } from './forward-spec.ts'
import { SessionLeases } from './session-leases.ts'

/** What happened at a forward that an operator may want to read. */
export type ForwardEvent =
  /** Clients were turned away since the last such event, by reason. */
  | { readonly kind: 'refused'; readonly forward: string; readonly clients: Readonly<Record<string, number>> }
  /** It could not be opened, or be bound again after its worker died. */
  | { readonly kind: 'failed'; readonly forward: string; readonly error: SockpoolError }

export type ForwardsDeps = Pick<ForwardDeps, 'pool' | 'serving' | 'onFault'> & {
  readonly onEvent: (event: ForwardEvent) => void
}

export class Forwards {
  /** Of the clients of all. */
  readonly leases: SessionLeases = new SessionLeases()
  readonly #deps: ForwardsDeps
  readonly #modes = new Map<'message', ForwardHandler>()
  readonly #forwards = new Set<Forward>()
  /** By forward: how many were turned away since the last event, by reason. */
  readonly #refused = new Map<string, Map<string, number>>()
  #timer: NodeJS.Timeout | null = null
  #turn: Promise<void> = Promise.resolve()
  #isClosed = false

  constructor(deps: ForwardsDeps) {
    this.#deps = deps
  }

  /** Has this handler serve the clients of forwards in that mode; to be called before one is opened. */
  serveMode(mode: 'message', handler: ForwardHandler): void {
    this.#modes.set(mode, handler)
  }

  /** Opens all, or none. Errors: those of `Forward.open`, with the forward's address in the message. */
  async open(configs: readonly ForwardConfig[]): Promise<readonly Forward[]> {
    const opened: Forward[] = []
    try {
      for (const config of configs) opened.push(await this.#open(config))
      return opened
    } catch (error) {
      await Promise.all(opened.map(forward => this.#close(forward)))
      throw error
    }
  }

  /**
   * Has these be the forwards, one replacement after another: new ones open, those that are gone listen no more while their
   * clients go on, and what is bound as before is what the configuration says for who comes next. One that cannot be opened
   * is an event, and the others are not touched by it. Resolves when it is done; never rejects.
   */
  replace(configs: readonly ForwardConfig[]): Promise<void> {
    this.#turn = this.#turn.then(() => this.#replace(configs)).catch(this.#deps.onFault)
    return this.#turn
  }

  /** Those that listen, and those that still have clients. */
  stats(): readonly ForwardStats[] {
    this.#forgetOver()
    return [...this.#forwards].map(forward => forward.stats())
  }

  /** Where those listen that listen on TCP. */
  get addresses(): readonly BoundAddress[] {
    return [...this.#forwards].flatMap(({ addresses }) => addresses).filter(({ family }) => family !== 'unix')
  }

  /** Nobody new; the present clients stay. Never rejects. */
  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.all([...this.#forwards].map(forward => forward.close().catch(this.#deps.onFault)))
    await this.#turn
    this.#tellRefused()
  }

  async #replace(configs: readonly ForwardConfig[]): Promise<void> {
    if (this.#isClosed) return
    this.#forgetOver()
    const listening = [...this.#forwards].filter(({ isOver }) => !isOver)
    const kept = new Set<Forward>()
    const fresh: ForwardConfig[] = []
    for (const config of configs) {
      const known = listening.find(forward => !kept.has(forward) && forward.mayBecome(config))
      known?.become(config)
      if (known === undefined) fresh.push(config)
      else kept.add(known)
    }
    // First, as one of the new ones may listen where one of these did.
    for (const forward of listening) if (!kept.has(forward)) await this.#close(forward)
    for (const config of fresh) await this.#open(config).catch(error => this.#failed(config, error))
  }

  async #open(config: ForwardConfig): Promise<Forward> {
    if (this.#isClosed) throw new SockpoolError('DRAINING', 'the pool is closed')
    const forward = await Forward.open(config, {
      ...this.#deps,
      modes: this.#modes,
      leases: this.leases,
      onRefused: (name, error) => this.#noteRefused(name, error),
      onFailed: (name, error) =>
        this.#deps.onEvent({ kind: 'failed', forward: name, error: SockpoolError.from(error) }),
    })
    this.#forwards.add(forward)
    if (this.#isClosed) await forward.close()
    return forward
  }

  async #close(forward: Forward): Promise<void> {
    await forward.close().catch(this.#deps.onFault)
    this.#forgetOver()
  }

  #forgetOver(): void {
    for (const forward of this.#forwards) if (forward.isOver) this.#forwards.delete(forward)
  }

  #failed({ listen }: ForwardConfig, error: unknown): void {
    const forward = formatAddress(listen)
    this.#deps.onEvent({ kind: 'failed', forward, error: SockpoolError.from(error, 'LISTEN_FAILED') })
  }

  /** The first is told at once, and those that follow it soon together: a target that is down turns away thousands. */
  #noteRefused(forward: string, { code }: SockpoolError): void {
    const reasons = this.#refused.get(forward) ?? new Map<string, number>()
    const reason = code.toLowerCase()
    reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
    this.#refused.set(forward, reasons)
    if (this.#timer === null) this.#tellRefused()
  }

  #tellRefused(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    if (this.#refused.size === 0) return
    for (const [forward, reasons] of this.#refused)
      this.#deps.onEvent({ kind: 'refused', forward, clients: Object.fromEntries(reasons) })
    this.#refused.clear()
    if (!this.#isClosed) this.#timer = setTimeout(() => this.#tellRefused(), LIMITS.forwardLogMs).unref()
  }
}
