/**
 * The diagnostics channels of a pool, for programs that watch it from outside: `sockpool:pool:lease`, `:release`,
 * `:connect`, `:close` and `:wait`. All pools of a process publish on them, and only where somebody has subscribed.
 */
import { channel } from 'node:diagnostics_channel'
import { leaseHash } from '../../base/lease-hash.ts'

/** What is published, on each channel alike; which members there are is a matter of the channel. */
export type PoolChannelMessage = {
  /** The time of day, in milliseconds. */
  readonly atMs: number
  /** Its name; of a target that a caller describes, `HOST:PORT` or `unix:PATH`. */
  readonly target: string
  /** The id of the connection. */
  readonly connection?: string
  /** A hash of the lease's id, the same in all that is told of that lease. */
  readonly lease?: string
  /** What came of it, in one word. */
  readonly reason?: string
  /** Milliseconds that it took. */
  readonly ms?: number
}

const LEASE = channel('sockpool:pool:lease')
const RELEASE = channel('sockpool:pool:release')
const CONNECT = channel('sockpool:pool:connect')
const CLOSE = channel('sockpool:pool:close')
const WAIT = channel('sockpool:pool:wait')

/** By the kind of news. */
const CHANNELS: Readonly<Record<string, typeof LEASE | undefined>> = {
  lease: LEASE,
  release: RELEASE,
  connect: CONNECT,
  close: CLOSE,
  wait: WAIT,
}

/** Whether anybody has subscribed to any of them. */
export function areChannelsHeard(): boolean {
  return (
    LEASE.hasSubscribers ||
    RELEASE.hasSubscribers ||
    CONNECT.hasSubscribers ||
    CLOSE.hasSubscribers ||
    WAIT.hasSubscribers
  )
}

/** News as the pool tells it, with the id of the lease itself. */
type PublishedNews = Omit<PoolChannelMessage, 'target'> & {
  readonly kind: string
  readonly target: string | null
  readonly worker?: number
}

export function publishNews({ kind, target, lease, worker: _worker, ...facts }: PublishedNews): void {
  const own = CHANNELS[kind]
  if (target === null || !own?.hasSubscribers) return
  const message: PoolChannelMessage = {
    target,
    ...facts,
    ...(lease !== undefined && { lease: leaseHash(lease) }),
  }
  own.publish(message)
}
