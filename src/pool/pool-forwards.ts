/** The forwards of a pool, and what they need of it: leases in an I/O worker of their choice, and listeners. */
import { CallBounds } from '../base/call-bounds.ts'
import { LIMITS } from '../base/limits.ts'
import type { ListenSpec } from '../threads/protocol.ts'
import type { OnIncoming } from '../threads/thread-listeners.ts'
import { NO_PARENT } from '../tracing/caller-trace.ts'
import type { BoundForward, ForwardServing, ServingPort } from './forward/forward-ports.ts'
import { Forwards } from './forward/forwards.ts'
import type { SessionPool } from './forward/session-clients.ts'
import { keepAliveSwitch } from './lease/keep-alive-switch.ts'
import { LeaseRequest } from './lease/lease-request.ts'
import type { Leases } from './leases.ts'
import type { PoolDeps } from './pool-deps.ts'
import type { Server } from './server/server.ts'
import type { Servers } from './server/servers.ts'
import type { TargetPools } from './target/target-pools.ts'

export function forwardsOf(
  { fleet, onEvent }: Pick<PoolDeps, 'fleet' | 'onEvent'>,
  leases: Leases,
  pools: TargetPools,
  servers: Servers,
): Forwards {
  return new Forwards({
    pool: sessionPool(leases, pools),
    serving: { watch: watchIn(fleet), serve: serveBy(servers) },
    onEvent: event => onEvent?.({ kind: 'forward', event }),
    onFault: error => onEvent?.({ kind: 'fault', error }),
  })
}

function sessionPool(leases: Leases, pools: TargetPools): SessionPool {
  return {
    lease: async ({ target, tenant, origin, wish, signal }, make) => {
      // The lease is its client's for as long as that stays.
      const bounds = new CallBounds(signal, undefined)
      const request = new LeaseRequest(bounds, { tenant, origin, within: NO_PARENT }, { ttlMs: null }, wish)
      const { record, holder } = await leases.acquire(target, request, 0, make)
      return { record, ends: holder }
    },
    isQueued: target => {
      const pool = pools.all.find(({ name, origin }) => name === target && origin === 'named')
      return pool !== undefined && pool.waiters > pool.counts.connecting
    },
  }
}

function watchIn(fleet: PoolDeps['fleet']): ServingPort['watch'] {
  return async (spec: ListenSpec, onIncoming: OnIncoming, onFailed): Promise<BoundForward> => {
    // The worker answers by messages, which keep no process alive.
    const keepAlive = keepAliveSwitch(fleet)
    keepAlive(true)
    try {
      const listening = await fleet.listen(spec, onIncoming, onFailed)
      return {
        addresses: listening.addresses,
        clients: 0,
        start: () => listening.serve(),
        close: async () => {
          await listening.close()
          keepAlive(false)
        },
      }
    } catch (error) {
      keepAlive(false)
      throw error
    }
  }
}

function serveBy(servers: Servers): ServingPort['serve'] {
  return async (spec: ListenSpec, { handle, onError }: ForwardServing, onFailed): Promise<BoundForward> => {
    let isClosing = false
    // It tells of a handler's error, and of the loss of its address, by the same word; after the latter it closes.
    const tell = (error: Error): void =>
      queueMicrotask(() => (isClosing || server.isServing() ? onError(error) : onFailed(error)))
    const server: Server = await servers.listen(handle, spec, {
      startServing: false,
      maxConnections: LIMITS.forwardClientsMax,
      onError: tell,
    })
    return {
      addresses: server.addresses,
      get clients() {
        return server.stats().clients
      },
      start: () => server.startServing(),
      close: async () => {
        isClosing = true
        server.close()
        await server.unbound
      },
    }
  }
}
