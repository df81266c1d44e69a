/** A service with one target, whose side of each conversation the test speaks itself; leases, and streams over them. */
import { onTestFinished } from 'vitest'
import { afterFile } from './after-file.ts'
import type { HeldLease } from './api.ts'
import { type ServiceFixture, startServiceFixture } from './service-fixture.ts'
import { openStream, type StreamClient } from './stream-client.ts'
import { type Peer, startUpstream, type Upstream } from './upstream.ts'

type LeaseWishes = { readonly ttlMs?: number; readonly replay?: boolean }

export type StreamScene = {
  readonly service: ServiceFixture
  readonly upstream: Upstream
  /** A lease of the target `peer`, and the other end of its connection. Discarded after the test. */
  leased(wishes?: LeaseWishes): Promise<{ readonly lease: HeldLease; readonly peer: Peer }>
  /** A stream over a lease, cut after the test. Errors: an Error with the status of a refusal. */
  streamOf(lease: HeldLease, query?: string): Promise<StreamClient>
}

/** To be called in `beforeAll`. */
export async function startStreamScene(): Promise<StreamScene> {
  const upstream = await startUpstream()
  afterFile(() => upstream.close())
  const { host, port } = upstream
  const service = await startServiceFixture({
    config: { targets: { peer: { host, port, reuse: 'clean', pool: { max: 50 } } } },
    finally: afterFile,
  })
  return {
    service,
    upstream,
    leased: async (wishes = {}) => {
      const lease = await service.api.lease('peer', wishes)
      onTestFinished(async () => void (await lease.release('?discard=true')))
      const peer = await upstream.from(lease.view.connection.localPort)
      // A connection that is reused has heard of the lease before, whose question must not pass for this one's.
      peer.forget()
      return { lease, peer }
    },
    streamOf: async (lease, query = '') => {
      const headers = { authorization: `Bearer ${service.token}` }
      const stream = await openStream(service.url, `${lease.view.id}/stream${query}`, { headers })
      onTestFinished(() => stream.socket.terminate())
      return stream
    },
  }
}
