/**
 * Who calls. A bearer token is compared by hash, in constant time and against every configured token, so neither
 * its length nor its place in the list shows in the time of the answer.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { SockpoolError } from '../base/errors.ts'
import { matchesGlob } from './glob.ts'
import { isOpenRoute } from './open-routes.ts'
import type { AdHocTarget, Token } from './parts.ts'

/** The tenant of every caller where authentication is off. */
const LOCAL_TENANT = 'local'

const DECORATOR = 'principal'

/** One authenticated caller. */
export class Principal {
  readonly tenant: string
  readonly isAdmin: boolean
  readonly #targets: readonly string[]

  constructor(tenant: string, isAdmin: boolean, targets: readonly string[]) {
    this.tenant = tenant
    this.isAdmin = isAdmin
    this.#targets = targets
  }

  /** Whether a target name is within this token's globs. */
  mayUse(name: string): boolean {
    return this.#targets.some(glob => matchesGlob(glob, name))
  }

  /**
   * Checks that this caller may lease a connection to the target. One that is not configured has no name to
   * match: it takes the glob `*`, and is judged by the egress rules after that.
   *
   * Errors: FORBIDDEN, whether a target of that name exists or not.
   */
  authorize(target: string | AdHocTarget): void {
    if (typeof target === 'string' ? this.mayUse(target) : this.#targets.includes('*')) return
    throw new SockpoolError('FORBIDDEN', 'this token may not use this target')
  }
}

/** The caller of an authenticated request. */
export function principalOf(request: FastifyRequest): Principal {
  return request.getDecorator<Principal>(DECORATOR)
}

/**
 * Finds the caller of each request before anything else looks at it.
 *
 * `tokens` null turns authentication off. Errors: UNAUTHORIZED, on every route but the open ones.
 */
export function registerAuth(app: FastifyInstance, tokens: readonly Token[] | null): void {
  const authenticate = tokens === null ? anyone() : byToken(tokens)
  app.decorateRequest(DECORATOR, null)
  app.addHook('onRequest', (request, _reply, done) => {
    if (isOpenRoute(request)) return done()
    const principal = authenticate(request.headers.authorization)
    if (principal === null) return done(new SockpoolError('UNAUTHORIZED', 'send a valid bearer token'))
    request.setDecorator(DECORATOR, principal)
    done()
  })
}

type Authenticate = (header: string | undefined) => Principal | null

function anyone(): Authenticate {
  const local = new Principal(LOCAL_TENANT, true, ['*'])
  return () => local
}

function byToken(tokens: readonly Token[]): Authenticate {
  const known = tokens.map(({ name, sha256, targets, admin }) => ({
    hash: Buffer.from(sha256, 'hex'),
    principal: new Principal(name, admin, targets),
  }))
  return header => {
    const presented = /^bearer +(\S+) *$/i.exec(header ?? '')?.[1]
    if (presented === undefined) return null
    const hash = createHash('sha256').update(presented).digest()
    let found: Principal | null = null
    // No early exit: the time of the answer must not tell which token came close.
    for (const token of known)
      if (token.hash.length === hash.length && timingSafeEqual(token.hash, hash)) found = token.principal
    return found
  }
}
