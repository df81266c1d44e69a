/** Acquires leases for HTTP callers: within the quota of their token, and once for each Idempotency-Key. */
import { hash } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import { SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import { clientSignalOf } from '../bytes/client-signal.ts'
import type { Principal } from '../door/principal.ts'
import { locateInRequest, rebuildTarget } from '../leases/ad-hoc-target.ts'
import type { CallerLease } from '../leases/caller-lease.ts'
import { IdempotencyKeys } from '../leases/idempotency-keys.ts'
import { leaseOriginOf } from '../leases/lease-origin.ts'
import type { LeaseTable } from '../leases/lease-table.ts'
import type { LeasePort, LeasingPort, TargetChoice } from '../ports.ts'
import { invalidField } from '../problems.ts'

/** What a caller says about the lease it wants. */
export interface LeaseWishes {
  readonly target: TargetChoice
  readonly ttlMs?: number
  readonly waitMs?: number
  readonly replay?: boolean
}

export class LeaseAcquirer {
  readonly #pool: Pick<LeasingPort, 'lease'>
  readonly #table: LeaseTable
  readonly #keys = new IdempotencyKeys()

  constructor(pool: Pick<LeasingPort, 'lease'>, table: LeaseTable) {
    this.#pool = pool
    this.#table = table
  }

  /**
   * The lease that a request asks for. A repeat of its Idempotency-Key gets the same one while that lives.
   * `checkOpen` throws where no lease may be made; who asks again for one that is there is answered all the same.
   *
   * Errors: INVALID_REQUEST, QUEUE_FULL where the quota is used up, ABORTED, those of `checkOpen` and of `Pool.lease`.
   */
  async acquire(
    request: FastifyRequest,
    wishes: LeaseWishes,
    principal: Principal,
    checkOpen: () => void,
  ): Promise<CallerLease> {
    const signal = clientSignalOf(request)
    const key = idempotencyKey(request)
    const origin = leaseOriginOf(request)
    const acquire = async (whoWaits: AbortSignal): Promise<CallerLease> => {
      checkOpen()
      return await this.lease(wishes, principal, whoWaits, origin)
    }
    if (key === null) return await acquire(signal)
    const { tenant } = principal
    const fingerprint = fingerprintOf(wishes)
    return await this.#keys.lease({ tenant, key, fingerprint, signal }, acquire)
  }

  /** A lease for whoever holds its signal. Errors: as `acquire`. */
  async lease(
    { target: described, ttlMs, waitMs, replay }: LeaseWishes,
    { tenant, weight, quota }: Principal,
    signal: AbortSignal,
    origin: ReturnType<typeof leaseOriginOf>,
  ): Promise<CallerLease> {
    const target = rebuildTarget(described)
    const share = quota.enter(target)
    let lease: LeasePort
    try {
      lease = await this.#pool.lease(target, { ttlMs, waitMs, replay, signal, tenant, weight, origin })
    } catch (error) {
      share.end()
      throw locateInRequest(error, target)
    }
    share.leased()
    const held = this.#table.add(lease, tenant)
    held.whenEnded(() => share.end())
    if (!signal.aborted) return held
    // Nobody has learnt its id, and a key whose callers have all left is forgotten: nobody could ever use it.
    await lease.release()
    throw new SockpoolError('ABORTED', 'the client disconnected')
  }
}

/**
 * What a lease is to be; how long to wait for it is another matter. A digest, as a described target may bring certificates,
 * and a key is kept as long as its lease lives.
 */
function fingerprintOf({ target, ttlMs, replay = false }: LeaseWishes): string {
  const wanted = JSON.stringify([rebuildTarget(target), ttlMs ?? null, replay])
  return hash('sha256', wanted, 'base64')
}

function idempotencyKey(request: FastifyRequest): string | null {
  const key = request.headers['idempotency-key']
  if (key === undefined) return null
  if (typeof key === 'string' && key.length > 0 && key.length <= LIMITS.idempotencyKeyCharsMax) return key
  throw invalidField('Idempotency-Key', `must have 1 to ${LIMITS.idempotencyKeyCharsMax} characters`)
}
