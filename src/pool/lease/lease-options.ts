/** What a caller may say about a lease, and that as it was judged. */
import { CallBounds } from '../../base/call-bounds.ts'
import { END_LIMITS } from '../../base/end-limits.ts'
import {
  countOption,
  durationOption,
  flagOption,
  optionsObject,
  textOption,
  timeLimitOption,
} from '../../base/options.ts'
import type { WaitOptions } from '../../base/wait.ts'
import { limitOption, type OnReset, onResetOption } from '../../streams/reading/read-options.ts'
import type { SpanParent } from '../../tracing/caller-trace.ts'

export type LeaseOptions = WaitOptions & {
  /** Milliseconds to wait for a free connection; 0 does not wait; default: the target's. */
  readonly waitMs?: number | undefined
  /**
   * Milliseconds the lease lives without an operation, Infinity: for ever; default: for ever, or the target's with
   * `ttl: 'target'`.
   */
  readonly ttlMs?: number | undefined
  /** Whose it is; connections never move between tenants. */
  readonly tenant?: string | undefined
  /** The tenant's share of the connections while others wait too, 1 to 1,000; default 1. */
  readonly weight?: number | undefined
  /**
   * Where it is asked for, to be told where it is held for too long; default: the place in the program. `traceparent` and
   * `tracestate`, as W3C Trace Context has them: what its span hangs below; default: the active context.
   */
  readonly origin?: LeaseCaller | undefined
  /** Keep at least the last 64 KiB that were read, for `readAt`; default: false. */
  readonly replay?: boolean | undefined
  /** Bytes; default of the reader's `limit`. */
  readonly limit?: number | undefined
  readonly onReset?: OnReset | undefined
}

/** Where a lease is asked for, as its caller says it. */
export type LeaseCaller = {
  readonly route?: string | undefined
  readonly traceId?: string | undefined
  readonly traceparent?: string | undefined
  readonly tracestate?: string | undefined
}

/** Whose a call is, and the share of its tenant. */
export type TenantShare = Pick<LeaseOptions, 'tenant' | 'weight' | 'origin'> & {
  /** What its spans hang below; default: what `origin` says. */
  readonly within?: SpanParent | undefined
}

/** What the lease is to be. */
export type LeaseAsking = {
  /** Null: for ever. Undefined: as the pool does by default. */
  readonly ttlMs?: number | null | undefined
  readonly waitMs?: number | undefined
  readonly replay?: boolean | undefined
}

/** What is asked for its ends. */
export type ReaderTraits = { readonly limit: number | undefined; readonly onReset: OnReset }

/** Of a lease for one exchange, which says itself what it reads. */
export const EXCHANGE_TRAITS: ReaderTraits = { limit: undefined, onReset: 'drain-then-raise' }

/** Of a call that says nothing. */
export const NO_LEASE_OPTIONS: LeaseOptions = {}

/** What is said of the lease itself, judged. */
type LeaseTerms = {
  readonly bounds: CallBounds
  readonly asking: LeaseAsking
  readonly traits: ReaderTraits
}

/** Each option of a lease, judged and read once: but for whose it is. Errors: INVALID_REQUEST. */
export function judgedTerms(options: LeaseOptions): LeaseTerms {
  const { signal, timeoutMs, allowedMs, waitMs, ttlMs, replay, limit, onReset } = optionsObject(options)
  return {
    bounds: CallBounds.judged({ signal, timeoutMs, allowedMs }),
    asking: {
      ttlMs: ttlOption(ttlMs),
      waitMs: durationOption('waitMs', waitMs),
      replay: flagOption('replay', replay),
    },
    traits: { limit: limitOption(limit), onReset: onResetOption(onReset) ?? 'drain-then-raise' },
  }
}

/** Errors: INVALID_REQUEST. */
export function judgedShare({ tenant, weight, origin }: TenantShare): TenantShare {
  return {
    tenant: textOption('tenant', tenant),
    weight: countOption('weight', weight, 1, END_LIMITS.weightMax),
    origin: origin === undefined ? undefined : judgedOrigin(origin),
  }
}

function judgedOrigin(origin: NonNullable<LeaseOptions['origin']>): LeaseOptions['origin'] {
  const { route, traceId, traceparent, tracestate } = optionsObject(origin, 'origin')
  return {
    route: textOption('origin.route', route),
    traceId: textOption('origin.traceId', traceId),
    traceparent: textOption('origin.traceparent', traceparent),
    tracestate: textOption('origin.tracestate', tracestate),
  }
}

/** A ttl in milliseconds; null for Infinity. Errors: INVALID_REQUEST. */
export function ttlOption(ttlMs: number | undefined): number | null | undefined {
  const judged = timeLimitOption('ttlMs', ttlMs)
  return judged === Number.POSITIVE_INFINITY ? null : judged
}
