/**
 * Who calls: the holder of a bearer token, or of a client certificate whose name is a token's. A token is compared by
 * hash, in constant time and against every configured one, so neither its length nor its place in the list shows
 * in the time of the answer.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import { SockpoolError } from '../../base/errors.ts'
import type { AppParts } from '../parts.ts'
import { abandonedConnections } from './abandoned-connections.ts'
import { certificateNames, isVerified } from './certificate-names.ts'
import { isOpenRoute } from './open-routes.ts'
import { PRINCIPAL, Principal } from './principal.ts'

/** The tenant of every caller where authentication is off. */
const LOCAL_TENANT = 'local'

type AuthParts = Pick<AppParts, 'auth' | 'tls' | 'now' | 'pool'>

/** All callers there are. */
export class Callers {
  readonly #local: Principal | null
  readonly #known: readonly { readonly hash: Buffer; readonly principal: Principal }[]
  readonly #needsCertificate: boolean

  constructor({ auth, tls, pool, now = () => performance.now() }: AuthParts) {
    this.#needsCertificate = tls !== false && tls.clientCa !== undefined
    const common = (tenant: string) => ({
      tenant,
      countAbandoned: () => abandonedConnections(pool.targets(), tenant),
      now,
    })
    this.#local =
      auth === null ? new Principal({ ...common(LOCAL_TENANT), isAdmin: true, targets: ['*'] }) : null
    this.#known = (auth?.tokens ?? []).map(({ name, sha256, targets, admin, limits }) => ({
      hash: Buffer.from(sha256, 'hex'),
      principal: new Principal({ ...common(name), isAdmin: admin, targets, ...(limits && { limits }) }),
    }))
  }

  /**
   * The caller of a request. A token that is sent decides, right or wrong; without one the certificate does.
   *
   * Errors: UNAUTHORIZED.
   */
  identify(authorization: string | undefined, socket: object): Principal {
    // Who shows no certificate does not get as far as guessing tokens.
    if (this.#needsCertificate && !isVerified(socket))
      throw new SockpoolError(
        'UNAUTHORIZED',
        'send a client certificate of an authority that this service trusts',
      )
    if (this.#local) return this.#local
    const found =
      authorization === undefined ? this.#byCertificate(socket) : this.#byToken(tokenOf(authorization))
    if (found) return found
    throw new SockpoolError('UNAUTHORIZED', 'send a valid bearer token')
  }

  #byCertificate(socket: object): Principal | null {
    if (!this.#needsCertificate) return null
    for (const name of certificateNames(socket)) {
      const caller = this.#known.find(({ principal }) => principal.tenant === name)
      if (caller) return caller.principal
    }
    return null
  }

  #byToken(token: string | null): Principal | null {
    if (token === null) return null
    const hash = createHash('sha256').update(token).digest()
    let found: Principal | null = null
    // No early exit: the time of the answer must not tell which token came close.
    for (const known of this.#known)
      if (known.hash.length === hash.length && timingSafeEqual(known.hash, hash)) found = known.principal
    return found
  }
}

/**
 * Finds the caller of each request before anything else looks at it, and counts the request.
 *
 * Errors: UNAUTHORIZED, RATE_LIMITED; on every route but the open ones.
 */
export function registerAuth(app: FastifyInstance, callers: Callers): void {
  app.decorateRequest(PRINCIPAL, null)
  app.addHook('onRequest', (request, _reply, done) => {
    if (isOpenRoute(request)) return done()
    const principal = callers.identify(request.headers.authorization, request.raw.socket)
    request.setDecorator(PRINCIPAL, principal)
    principal.countRequest()
    done()
  })
}

function tokenOf(authorization: string): string | null {
  return /^bearer +(\S+) *$/i.exec(authorization)?.[1] ?? null
}
