/**
 * The span of one lease, from the asking to the release: the event `acquired` stands between the wait and the hold. It is
 * the pool's thread that has it, wherever the ends of the lease are.
 */
import type { SocketFacts } from '../../threads/protocol.ts'
import type { SpanParent } from '../../tracing/caller-trace.ts'
import { PoolSpan } from '../../tracing/pool-span.ts'
import { peerAttributes, serverAttributes } from '../../tracing/span-places.ts'
import type { TraceIds } from '../../tracing/trace-parent.ts'
import { DialParent } from '../target/dial-parent.ts'
import { targetLabel } from '../target/dial-span.ts'
import type { ReleaseResult } from '../target/release-result.ts'
import type { TargetPool } from '../target/target-pool.ts'
import type { LeaseKeeper } from './lease-keeper.ts'
import type { LeaseRequest } from './lease-request.ts'

/** The lease that it is about. */
type SpannedLease = Pick<LeaseKeeper, 'terms' | 'gone'> & {
  readonly connection: { readonly id: string; readonly facts: SocketFacts }
  readonly bytesIn: number
  readonly bytesOut: number
}

export class LeaseSpan {
  /** For whom its connection is dialled. */
  readonly dialParent: DialParent
  readonly #span: PoolSpan
  readonly #pool: TargetPool
  readonly #askedMs = performance.now()

  private constructor(span: PoolSpan, pool: TargetPool) {
    this.#span = span
    this.#pool = pool
    this.dialParent = new DialParent(span.within)
  }

  /** Null where nobody traces. */
  static begin(pool: TargetPool, { within, origin }: LeaseRequest): LeaseSpan | null {
    const span = PoolSpan.begin('sockpool.lease', within, origin)
    if (span === null) return null
    if (span.isRecording) span.set({ 'sockpool.target': targetLabel(pool) })
    return new LeaseSpan(span, pool)
  }

  /** One that ends at once, with the error; what is to be active for it. `target`: as spans call it, null for a name of none. */
  static refused(
    target: string | null,
    { within, origin }: LeaseRequest,
    error: unknown,
  ): SpanParent | undefined {
    const span = PoolSpan.begin('sockpool.lease', within, origin)
    if (span?.isRecording && target !== null) span.set({ 'sockpool.target': target })
    span?.fail(error)
    return span?.within
  }

  /** What spans of the work on it hang below. */
  get within(): SpanParent {
    return this.#span.within
  }

  get ids(): TraceIds {
    return this.#span.ids
  }

  /** Its holder has it; `host`: the place of its connection in the target's list. */
  acquired({ terms, connection }: SpannedLease, host: number): void {
    const span = this.#span
    if (!span.isRecording) return
    const { facts, id } = connection
    const path = facts.remotePort === 0 ? facts.remoteAddress : undefined
    span.event('acquired')
    span.set({
      ...serverAttributes(this.#pool.target.hosts[host], path),
      ...peerAttributes(facts),
      'sockpool.connection': id,
      'sockpool.reused': terms.reused,
      'sockpool.wait_ms': performance.now() - this.#askedMs,
    })
  }

  /** Nobody has it. */
  failed(error: unknown): void {
    this.#span.fail(error)
  }

  /** It has ended; `given`: what becomes of its connection, which never rejects. */
  ended({ gone, bytesIn, bytesOut }: SpannedLease, given: Promise<ReleaseResult>): void {
    const span = this.#span
    const atMs = performance.now()
    // Whoever released it meant to; whatever else ended it is a failure of the lease.
    const failure = gone === null || gone === 'released' ? null : 'lease_gone'
    if (!span.isRecording) return span.end(failure, atMs)
    span.set({
      'sockpool.bytes_read': bytesIn,
      'sockpool.bytes_written': bytesOut,
      ...(failure !== null && { 'sockpool.gone': String(gone) }),
    })
    const tell = ({ outcome, reason }: ReleaseResult): void => {
      span.set({ 'sockpool.outcome': outcome, 'sockpool.reason': reason })
      span.end(failure, atMs)
    }
    given.then(tell, () => span.end(failure, atMs))
  }
}
