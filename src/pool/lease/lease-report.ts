/** What a lease that is held for long is known by. */
import { type TraceIds, traceIdsOf } from '../../tracing/trace-parent.ts'
import type { LeaseCaller } from './lease-options.ts'

/** Where a lease was asked for: a route of the service, or a place in the program. */
export type LeaseOrigin = LeaseCaller & { readonly stack?: string | undefined }

export type LeaseReport = Pick<LeaseOrigin, 'route' | 'stack'> & {
  /** Of the caller's trace. */
  readonly traceId?: string | undefined
  /** Of the lease's own span, where there is one; else the caller's. */
  readonly spanId?: string | undefined
  readonly target: string
  readonly tenant: string
  readonly connection: string
  readonly ageMs: number
  readonly lastOperation: string | null
  /** Milliseconds since that, or since the last byte. */
  readonly idleMs: number
  readonly bytesIn: number
  readonly bytesOut: number
}

type Reported = Pick<LeaseReport, 'ageMs' | 'lastOperation' | 'idleMs' | 'bytesIn' | 'bytesOut'> & {
  readonly terms: Pick<LeaseReport, 'target' | 'tenant'>
  readonly connection: { readonly id: string }
  readonly span: { readonly ids: TraceIds } | null
}

export function leaseReport(lease: Reported, origin: LeaseOrigin | undefined): LeaseReport {
  const { ageMs, lastOperation, idleMs, bytesIn, bytesOut } = lease
  const { target, tenant } = lease.terms
  return {
    target,
    tenant,
    connection: lease.connection.id,
    ageMs: Math.round(ageMs),
    lastOperation,
    idleMs: Math.round(idleMs),
    bytesIn,
    bytesOut,
    ...shownOrigin(lease, origin),
  }
}

function shownOrigin(
  { span }: Reported,
  { route, traceId, traceparent, stack }: LeaseOrigin = {},
): Pick<LeaseReport, 'route' | 'stack' | 'traceId' | 'spanId'> {
  const ids = span?.ids ?? traceIdsOf(traceparent)
  return {
    ...(route !== undefined && { route }),
    ...(traceId !== undefined && { traceId }),
    ...ids,
    ...(stack !== undefined && { stack }),
  }
}
