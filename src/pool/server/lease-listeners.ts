/** The listeners of one pool whose connections are leased, and all connections that they have accepted. */
import { SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import type { IoConnection } from '../../threads/io-connection.ts'
import type { ListenSpec } from '../../threads/protocol.ts'
import type { ConnectionReport, ConnectionStats } from '../target/pool-stats.ts'
import type { WaiterCount } from '../target/waiter-count.ts'
import { AcceptedConnection, type AcceptedConnectionDeps } from './accepted-connection.ts'
import { LeaseListener, type LeaseListenOptions, listenerGone } from './lease-listener.ts'
import type { ListenerFleet } from './servers.ts'

export type LeaseListenersDeps = {
  readonly fleet: ListenerFleet
  /** Connections that the process may have. */
  readonly connectionsMax: number
  readonly waiterCount: WaiterCount
  readonly now: () => number
  readonly makeLease: AcceptedConnectionDeps['makeLease']
  /** A fault of ours, which concerned one connection or listener. */
  readonly onFault: (error: unknown) => void
}

/** Where a listener listens, as it was asked for. */
type Place = { readonly host: string; readonly port: number }

type Entry = {
  readonly tenant: string
  readonly place: Place
  /** Null while it is being bound. */
  listener: LeaseListener | null
  isRevoked: boolean
}

/** How many accepted connections are in which state. */
export type AcceptedCounts = { readonly idle: number; readonly leased: number; readonly closing: number }

export class LeaseListeners {
  readonly #deps: LeaseListenersDeps
  /** Those that are being bound, too. */
  readonly #entries = new Set<Entry>()
  readonly #connections = new Set<AcceptedConnection>()
  readonly #unclaimedMax: number
  #isClosed = false

  constructor(deps: LeaseListenersDeps) {
    this.#deps = deps
    const share = Math.max(1, Math.floor(deps.connectionsMax * LIMITS.unclaimedShare))
    this.#unclaimedMax = Math.min(LIMITS.unclaimedMax, share)
  }

  /** Errors: QUEUE_FULL, LISTEN_FAILED, DNS_FAILED, WORKER_LOST, DRAINING. */
  async listen(
    place: Place,
    spec: Omit<ListenSpec, 'where'>,
    options: LeaseListenOptions,
  ): Promise<LeaseListener> {
    const { fleet, waiterCount, now, onFault } = this.#deps
    if (this.#isClosed) throw listenerGone('draining')
    const entry = this.#enter(place, options.tenant)
    const where = { kind: 'tcp', hosts: [place.host], port: place.port } as const
    try {
      const listener = await LeaseListener.bind({
        ...options,
        now,
        waiterCount,
        onFault,
        bind: (onIncoming, onFailed) => fleet.listen({ ...spec, where }, onIncoming, onFailed),
        hasRoom: () => this.#hasRoom(options.tenant),
        adopt: (connection, onGone) => this.#adopt(connection, options.tenant, onGone),
        onEnded: () => this.#entries.delete(entry),
      })
      entry.listener = listener
      const end = this.#isClosed ? 'draining' : entry.isRevoked ? 'revoked' : null
      if (end === null) return listener
      await listener.close('keep', end)
      throw listenerGone(end)
    } catch (error) {
      this.#entries.delete(entry)
      throw error
    }
  }

  get counts(): AcceptedCounts {
    const counts = { idle: 0, leased: 0, closing: 0 }
    for (const { state } of this.#connections)
      if (state === 'leased') counts.leased++
      else if (state === 'waiting') counts.idle++
      else counts.closing++
    return counts
  }

  rows(): ConnectionStats[] {
    return Array.from(this.#connections, connection => connection.row())
  }

  /** The connection of this id; null where none has it. */
  report(id: string): ConnectionReport | null {
    return this.#find(id)?.report() ?? null
  }

  /** Ends the connection of this id, and the lease on it; false where none has it. */
  kill(id: string): boolean {
    const found = this.#find(id)
    found?.kill('killed')
    return found !== undefined
  }

  /** Ends those that may not go on, and the leases on their connections. How many of either. */
  revoke(mayListen: (tenant: string, place: Place) => boolean): {
    readonly listeners: number
    readonly leases: number
  } {
    let [listeners, leases] = [0, 0]
    for (const entry of [...this.#entries]) {
      if (mayListen(entry.tenant, entry.place)) continue
      entry.isRevoked = true
      listeners++
      leases += entry.listener?.revoke() ?? 0
    }
    return { listeners, leases }
  }

  /** No new connections, and none for those who wait for one. Leases go on. Resolves when nothing listens any more. */
  async close(): Promise<void> {
    this.#isClosed = true
    const open = [...this.#entries].map(({ listener }) => listener?.close('keep', 'draining'))
    await Promise.all(open)
  }

  /** Half of the room is the most that one tenant may fill. */
  #hasRoom(tenant: string): boolean {
    let [all, own] = [0, 0]
    for (const entry of this.#entries) {
      const unclaimed = entry.listener?.unclaimed ?? 0
      all += unclaimed
      if (entry.tenant === tenant) own += unclaimed
    }
    return all < this.#unclaimedMax && own < Math.ceil(this.#unclaimedMax / 2)
  }

  #enter(place: Place, tenant: string): Entry {
    const own = [...this.#entries].filter(entry => entry.tenant === tenant).length
    if (own >= LIMITS.listenersPerTenantMax)
      throw new SockpoolError('QUEUE_FULL', `you have ${own} listeners, as many as you may; end one first`)
    if (this.#entries.size >= LIMITS.listenersMax)
      throw new SockpoolError('QUEUE_FULL', `${LIMITS.listenersMax} listeners are open already`)
    const entry: Entry = { tenant, place, listener: null, isRevoked: false }
    this.#entries.add(entry)
    return entry
  }

  #adopt(
    connection: IoConnection,
    tenant: string,
    onGone: (accepted: AcceptedConnection) => void,
  ): AcceptedConnection {
    const { now, makeLease } = this.#deps
    const { localAddress, localPort } = connection.facts
    const host = localAddress.includes(':') ? `[${localAddress}]` : localAddress
    const accepted = new AcceptedConnection({
      connection,
      target: `listener ${host}:${localPort}`,
      tenant,
      now,
      makeLease,
      onGone: gone => {
        this.#connections.delete(gone)
        onGone(gone)
      },
    })
    this.#connections.add(accepted)
    return accepted
  }

  #find(id: string): AcceptedConnection | undefined {
    for (const connection of this.#connections) if (connection.id === id) return connection
    return undefined
  }
}
