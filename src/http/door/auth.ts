/**
 * Who calls: the holder of a bearer token, or of a client certificate that bears a token's name. The hash of a token is
 * compared with the hash of every configured one, each in constant time: the time of the answer shows neither the length
 * of a token nor its place in the list.
 */
import { hash as hashOf, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { SockpoolError } from '../../base/errors.ts'
import type { Token } from '../../config/config.ts'
import { HELD_BYTES, HeldBytes, heldBytesBounds } from '../bytes/held-bytes.ts'
import type { DoorDeps } from '../ports.ts'
import { routeOf } from '../request-route.ts'
import { certificateNames, isVerified } from './certificate-names.ts'
import { type ForwardedCallers, isForwarded } from './forwarded-caller.ts'
import { wantedUpgrade } from './http-request.ts'
import { PRINCIPAL, Principal, type PrincipalOptions } from './principal.ts'
import { isCountedRequest } from './relay-pass.ts'

/** The tenant of every caller where authentication is off. */
const LOCAL_TENANT = 'local'

/** These routes answer anyone: a probe knows neither a token nor the name under which it reaches the service. */
const OPEN_ROUTES: ReadonlySet<string | undefined> = new Set(['/livez', '/readyz'])

/** What a page puts before its token in the list of subprotocols. */
const TOKEN_SUBPROTOCOL = 'token.'
/** Pages that are the same for everybody: they need no token, but a Host header of this service. */
export const DOCS_PREFIX = '/docs'
export const DASHBOARD_PREFIX = '/dashboard'

const PAGE_PREFIXES: readonly string[] = [DOCS_PREFIX, DASHBOARD_PREFIX]

type CallersOptions = Pick<DoorDeps, 'auth' | 'tls' | 'now' | 'limits' | 'tallies'>

/** All callers that the service knows. */
export class Callers {
  readonly #local: Principal | null
  readonly #makePrincipal: (options: Omit<PrincipalOptions, 'now' | 'heldBytes' | 'tally'>) => Principal
  readonly #needsCertificate: boolean
  #known: readonly { readonly hash: Buffer; readonly principal: Principal }[] = []

  constructor({ auth, tls, limits, tallies, now = () => performance.now() }: CallersOptions) {
    this.#needsCertificate = tls !== false && tls.clientCa !== undefined
    const bounds = heldBytesBounds(limits.bodyBytes)
    const all = new HeldBytes('all callers', bounds.service, null, tallies?.all)
    this.#makePrincipal = options => {
      const tally = tallies?.of(options.tenant)
      const heldBytes = new HeldBytes('this token', bounds.token, all, tally)
      return new Principal({ ...options, now, heldBytes, tally })
    }
    const local = { tenant: LOCAL_TENANT, isAdmin: true, targets: ['*'] }
    this.#local = auth === null ? this.#makePrincipal(local) : null
    this.replace(auth?.tokens ?? [])
  }

  /**
   * Knows these tokens from now on. A caller of the same name stays the one that it was, with what it holds and how much it
   * has asked for; one whose token is gone may do nothing more, in requests that are under way too.
   */
  replace(tokens: readonly Token[]): void {
    const before = new Map(this.#known.map(({ principal }) => [principal.tenant, principal]))
    this.#known = tokens.map(({ name, sha256, targets, admin, weight, limits, metrics }) => {
      const rights = {
        isAdmin: admin,
        targets,
        ...(weight !== undefined && { weight }),
        ...(limits && { limits }),
        ...(metrics !== undefined && { metrics }),
      }
      const known = before.get(name)
      known?.replace(rights)
      before.delete(name)
      const principal = known ?? this.#makePrincipal({ ...rights, tenant: name })
      return { hash: Buffer.from(sha256, 'hex'), principal }
    })
    for (const gone of before.values()) gone.replace({ isAdmin: false, targets: [] })
  }

  /**
   * The caller of a request. If the request has a token, right or wrong, the token decides; if not, the certificate does.
   *
   * Errors: UNAUTHORIZED.
   */
  identify(authorization: string | undefined, socket: object): Principal {
    this.#checkCertificate(socket)
    if (this.#local) return this.#local
    const found =
      authorization === undefined ? this.#byCertificate(socket) : this.#byToken(tokenOf(authorization))
    if (found) return found
    throw new SockpoolError('UNAUTHORIZED', 'send a bearer token that this service knows')
  }

  /**
   * The caller whom another instance vouches for. Errors: UNAUTHORIZED where nobody here has that name, or the other one
   * lacks a certificate that every caller needs.
   */
  identifyForwarded(tenant: string, socket: object): Principal {
    this.#checkCertificate(socket)
    const found = this.#local ?? this.#known.find(({ principal }) => principal.tenant === tenant)?.principal
    if (found) return found
    throw new SockpoolError(
      'UNAUTHORIZED',
      'no token here has the name that another instance knows the caller by',
    )
  }

  #checkCertificate(socket: object): void {
    // Without a certificate nobody gets as far as guessing tokens.
    if (this.#needsCertificate && !isVerified(socket))
      throw new SockpoolError(
        'UNAUTHORIZED',
        'send a client certificate that an authority trusted by this service has signed',
      )
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
    const hash = hashOf('sha256', token, 'buffer')
    let found: Principal | null = null
    // The loop never ends early: the time of the answer must not tell which token came close.
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
export function registerAuth(app: FastifyInstance, callers: Callers, forwarded: ForwardedCallers): void {
  app.decorateRequest(PRINCIPAL, null)
  app.addHook('onRequest', (request, _reply, done) => {
    if (!needsToken(request)) return done()
    const principal = callerOf(request.raw, callers, forwarded)
    request.setDecorator(PRINCIPAL, principal)
    request.setDecorator(HELD_BYTES, principal.heldBytes)
    if (!isCountedRequest(request.raw)) principal.countRequest()
    done()
  })
}

/** Errors: UNAUTHORIZED. */
function callerOf(request: IncomingMessage, callers: Callers, forwarded: ForwardedCallers): Principal {
  const { headers, socket } = request
  const vouchedFor = forwarded.tenantOf(request)
  if (vouchedFor !== null) return callers.identifyForwarded(vouchedFor, socket)
  // Of a request that was passed on the certificate is the other instance's, and never says who calls: its token does, or
  // the empty one, which nobody has.
  const token = isForwarded(request) ? (tokenIn(headers) ?? '') : tokenIn(headers)
  return callers.identify(token, socket)
}

/** The header by which a request says who calls, or what stands for it; undefined where there is neither. */
export function tokenIn(headers: IncomingHttpHeaders): string | undefined {
  return headers.authorization ?? subprotocolToken(headers)
}

/** Whether only a known caller may ask for it. */
export function needsToken(request: FastifyRequest): boolean {
  const { url = '' } = routeOf(request)
  const isPage = PAGE_PREFIXES.some(prefix => url === prefix || url.startsWith(`${prefix}/`))
  return !isPage && !isOpenRoute(request)
}

/** Whether it answers anyone, under any Host. */
export function isOpenRoute(request: FastifyRequest): boolean {
  return OPEN_ROUTES.has(routeOf(request).url)
}

/**
 * The token of a WebSocket's handshake: a page can set no header there but the list of subprotocols. Undefined where there
 * is none.
 */
function subprotocolToken(headers: IncomingHttpHeaders): string | undefined {
  if (wantedUpgrade(headers) !== 'websocket') return undefined
  const offered = (headers['sec-websocket-protocol'] ?? '').split(',').map(name => name.trim())
  const token = offered.find(name => name.startsWith(TOKEN_SUBPROTOCOL))
  return token === undefined ? undefined : `Bearer ${token.slice(TOKEN_SUBPROTOCOL.length)}`
}

function tokenOf(authorization: string): string | null {
  return /^bearer +(\S+) *$/i.exec(authorization)?.[1] ?? null
}
