/** What a lease that is held for long is known by. */

/** Where a lease was asked for: a route of the service, or a place in the program. */
export type LeaseOrigin = {
  readonly route?: string | undefined
  /** Of the caller's trace. */
  readonly traceId?: string | undefined
  readonly stack?: string | undefined
}

export type LeaseReport = LeaseOrigin & {
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
    ...origin,
  }
}
