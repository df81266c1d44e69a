/**
 * How one instance tells another whom it knows by a client certificate: the certificate itself does not travel. The word is
 * a header, authenticated by the secret that all instances share:
 *
 *   v1.TENANT.INSTANT.NONCE.MAC     tenant in base64url, Unix milliseconds, random bytes, HMAC-SHA256 over all of it, the
 *                                   method, the path with its query, and the name of the instance that it is meant for
 *
 * It holds within the skew of two clocks, at one owner, for one request as it was signed and that another instance has passed
 * on; and once, for as long as the owner remembers it. An owner that was started again remembers none, nor one by which more
 * callers than its memory has room for have come since: who has seen a word on its way could use it again there, for the same
 * request, until its time is over. So the network between instances has TLS. Where anything about it is off, the request is
 * refused.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import type { FleetDoor } from '../ports.ts'

/** What says who calls. */
export const CALLER_HEADER = 'sockpool-caller'
/** What says that a request was passed on, and by which instance: nobody passes it on again. */
export const FORWARDED_HEADER = 'sockpool-forwarded'

const WORD = /^v1\.([\w-]{1,512})\.(\d{1,16})\.([\w-]{22})\.([\w-]{43})$/
const NONCE_BYTES = 16

/** What the word is about, beside the caller. `owner`: the instance that is to believe it. */
export type CalledUpon = { readonly method: string; readonly path: string; readonly owner: string }

/** The header's value. */
export function callerWord(secret: string, tenant: string, call: CalledUpon, nowMs: number): string {
  const said = [
    'v1',
    Buffer.from(tenant).toString('base64url'),
    String(nowMs),
    randomBytes(NONCE_BYTES).toString('base64url'),
  ].join('.')
  return `${said}.${macOf(secret, said, call).toString('base64url')}`
}

/** Whether another instance has passed the request on. */
export function isForwarded({ headers }: Pick<IncomingMessage, 'headers'>): boolean {
  return headers[FORWARDED_HEADER] !== undefined
}

/** Judges the words of other instances. */
export class ForwardedCallers {
  readonly #fleet: FleetDoor | null
  readonly #now: () => number
  /** Nonces of words that were believed, in the order in which they came, with the time until which each is remembered. */
  readonly #seen = new Map<string, number>()

  /** `now`: Unix milliseconds; default: the system's. */
  constructor(fleet: FleetDoor | null, now: () => number = () => Date.now()) {
    this.#fleet = fleet
    this.#now = now
  }

  /** The tenant that another instance vouches for; null where the request has no such word. Errors: UNAUTHORIZED. */
  tenantOf(request: Pick<IncomingMessage, 'headers' | 'method' | 'url'>): string | null {
    const word = request.headers[CALLER_HEADER]
    if (word === undefined) return null
    const tenant = this.#judged(String(word), request)
    if (tenant !== null) return tenant
    throw new SockpoolError('UNAUTHORIZED', `what ${CALLER_HEADER} says of the caller does not hold here`)
  }

  #judged(word: string, request: Pick<IncomingMessage, 'headers' | 'method' | 'url'>): string | null {
    const { headers, method = '', url = '' } = request
    const [, tenant = '', instant, nonce = '', mac = ''] = WORD.exec(word) ?? []
    const fleet = this.#fleet
    if (instant === undefined || fleet === null) return null
    const said = word.slice(0, -mac.length - 1)
    const call = { method, path: url, owner: fleet.name }
    const theirs = Buffer.from(mac, 'base64url')
    const isTheirs = (own: Buffer): boolean => own.length === theirs.length && timingSafeEqual(own, theirs)
    if (!fleet.secrets.some(secret => isTheirs(macOf(secret, said, call)))) return null
    // A token of the caller's own would be a second word on who calls.
    if (!isForwarded(request) || headers.authorization !== undefined) return null
    const nowMs = this.#now()
    if (Math.abs(nowMs - Number(instant)) > LIMITS.forwardedSkewMs) return null
    return this.#isNew(nonce, nowMs) ? Buffer.from(tenant, 'base64url').toString() : null
  }

  #isNew(nonce: string, nowMs: number): boolean {
    if (this.#seen.has(nonce)) return false
    // From the earliest instant at which a word may be believed to the latest.
    this.#seen.set(nonce, nowMs + 2 * LIMITS.forwardedSkewMs)
    for (const [oldest, untilMs] of this.#seen) {
      if (untilMs >= nowMs && this.#seen.size <= LIMITS.forwardedNoncesMax) break
      this.#seen.delete(oldest)
    }
    return true
  }
}

function macOf(secret: string, said: string, { method, path, owner }: CalledUpon): Buffer {
  return createHmac('sha256', secret)
    .update(['sockpool-caller', said, owner, method, path].join('\n'))
    .digest()
}
