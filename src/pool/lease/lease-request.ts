/** A lease as it is asked of a pool in process: what was said of it, judged, and whose it is. */
import { CallBounds } from '../../base/call-bounds.ts'
import { optionsObject } from '../../base/options.ts'
import type { SpanParent } from '../../tracing/caller-trace.ts'
import type { DialWish } from '../target/dial-wish.ts'
import {
  EXCHANGE_TRAITS,
  judgedShare,
  judgedTerms,
  type LeaseAsking,
  type LeaseOptions,
  NO_LEASE_OPTIONS,
  type ReaderTraits,
  type TenantShare,
} from './lease-options.ts'

/** What is asked of the pool's thread for a lease: plain data, but for the signal. */
export class LeaseRequest extends CallBounds {
  readonly tenant: string
  readonly ttlMs: number | null | undefined
  readonly waitMs: number | undefined
  readonly replay: boolean
  readonly weight: number
  readonly origin: LeaseOptions['origin']
  readonly within: SpanParent | undefined
  /** What its connection has to be beside what the target says; null: nothing. */
  readonly wish: DialWish | null

  /** Judged already. */
  constructor(
    bounds: CallBounds,
    { tenant, weight, origin, within }: TenantShare,
    { ttlMs, waitMs, replay = false }: LeaseAsking = {},
    wish: DialWish | null = null,
  ) {
    super(bounds.signal, bounds.timeoutMs, bounds.allowedMs)
    this.tenant = tenant ?? ''
    this.ttlMs = ttlMs
    this.waitMs = waitMs
    this.replay = replay
    this.weight = weight ?? 1
    this.origin = origin
    this.within = within
    this.wish = wish
  }
}

type JudgedLease = { readonly request: LeaseRequest; readonly traits: ReaderTraits }

const NOTHING_SAID: JudgedLease = { request: new LeaseRequest(CallBounds.NONE, {}), traits: EXCHANGE_TRAITS }

/** Each option of a lease, judged and read once. Errors: INVALID_REQUEST. */
export function judgedLease(options: LeaseOptions): JudgedLease {
  // By far the most calls say nothing, and pay no more than this comparison.
  if (options === NO_LEASE_OPTIONS) return NOTHING_SAID
  const { bounds, asking, traits } = judgedTerms(options)
  const { tenant, weight, origin } = optionsObject(options)
  return { request: new LeaseRequest(bounds, judgedShare({ tenant, weight, origin }), asking), traits }
}
