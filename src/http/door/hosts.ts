/**
 * Which Host and Origin headers may reach the routes. A page in a local browser can send requests to a loopback
 * port, directly or under a name of its own that it resolves to 127.0.0.1; it cannot forge these headers.
 */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { FastifyInstance } from 'fastify'
import { SockpoolError } from '../../base/errors.ts'
import type { AppParts } from '../parts.ts'
import { isOpenRoute } from './open-routes.ts'

const LOOPBACK_NAMES = ['127.0.0.1', 'localhost', '[::1]']
const WILDCARDS = new Set(['0.0.0.0', '::', ''])
const HOST = /^(\[[0-9a-f:.]+\]|[^:/?#@[\]\s]+)(?::(\d{1,5}))?$/

/** What tells of the page that sent a request. */
export interface PageFacts {
  readonly host: string | undefined
  readonly origin: string | undefined
  readonly fetchSite: string | undefined
}

/** The facts of a request that the policy judges. */
export interface HostFacts extends PageFacts {
  /** Of the connection; absent where there is none. */
  readonly localAddress: string | undefined
  readonly localPort: number | undefined
}

export type HostParts = Pick<AppParts, 'listen' | 'hosts' | 'origins'> & {
  /** Whether the listener itself speaks TLS. */
  readonly tls: boolean
}

export class HostPolicy {
  readonly #parts: HostParts
  /** Names that are valid with the listener's own port. */
  readonly #own: ReadonlySet<string>
  /** Configured `host`, valid with any port, and `host:port`. */
  readonly #configured: ReadonlySet<string>
  readonly #origins: ReadonlySet<string>

  constructor(parts: HostParts) {
    this.#parts = parts
    this.#own = new Set(ownNames(parts.listen))
    this.#configured = new Set(parts.hosts.map(host => host.toLowerCase()))
    this.#origins = new Set(parts.origins.map(origin => origin.toLowerCase()))
  }

  /** Errors: HOST_DENIED for a Host that is not ours, or a page that is not listed. */
  check(facts: HostFacts): void {
    if (!this.#admitsHost(facts)) throw new SockpoolError('HOST_DENIED', 'this Host is not served here')
    this.checkPage(facts)
  }

  /** The same for a request whose Host is not ours. Errors: HOST_DENIED for a page that is not listed. */
  checkPage(facts: PageFacts): void {
    if (!this.#admitsPage(facts))
      throw new SockpoolError('HOST_DENIED', 'this Origin may not call the service')
  }

  #admitsHost({ host, localAddress, localPort }: HostFacts): boolean {
    const { listen, tls } = this.#parts
    // No name can be rebound to a unix socket, and clients put anything into Host there.
    if (listen.kind === 'unix') return true
    const [, name, port] = HOST.exec((host ?? '').toLowerCase()) ?? []
    if (name === undefined) return false
    if (this.#configured.has(name) || this.#configured.has(`${name}:${port}`)) return true
    const presented = port === undefined ? (tls ? 443 : 80) : Number(port)
    if (presented !== (localPort ?? listen.port)) return false
    // On a wildcard listener the address that was dialled is as safe as a name can be: it needs no resolving.
    return this.#own.has(name) || (WILDCARDS.has(listen.host) && name === literal(localAddress))
  }

  #admitsPage({ host, origin, fetchSite }: PageFacts): boolean {
    if (origin !== undefined) {
      const scheme = this.#parts.tls ? 'https' : 'http'
      const sent = origin.toLowerCase()
      return this.#origins.has(sent) || sent === `${scheme}://${host?.toLowerCase()}`
    }
    // A page on another port of this host is same-site, and no less foreign.
    return fetchSite === undefined || fetchSite === 'same-origin' || fetchSite === 'none'
  }
}

/** Refuses requests with a foreign Host or Origin, on every method and every route but the open ones. */
export function registerHostPolicy(app: FastifyInstance, policy: HostPolicy): void {
  app.addHook('onRequest', (request, _reply, done) => {
    if (isOpenRoute(request)) return done()
    const { headers, socket } = request
    const { localAddress, localPort } = socket
    const facts = { ...pageFacts(headers), localAddress, localPort }
    // Of two Host headers Node keeps the first, and a proxy before us may have judged the other one.
    policy.check(hasOneHost(request.raw.rawHeaders) ? facts : { ...facts, host: undefined })
    done()
  })
}

function hasOneHost(rawHeaders: readonly string[]): boolean {
  return rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === 'host').length <= 1
}

/** What the headers tell of the page. */
export function pageFacts(headers: IncomingHttpHeaders): PageFacts {
  const fetchSite = headers['sec-fetch-site']
  return {
    host: headers.host,
    origin: headers.origin,
    fetchSite: Array.isArray(fetchSite) ? fetchSite.join() : fetchSite,
  }
}

/**
 * The path of an absolute-form request target. Its authority takes the place of the Host header (RFC 9112, 3.2.2)
 * where the two agree; where they differ, no Host is left, and the policy refuses the request.
 */
export function originForm(request: Pick<IncomingMessage, 'url' | 'headers'>): string {
  const url = request.url ?? '/'
  const absolute = /^https?:\/\/([^/?#]*)(.*)$/i.exec(url)
  if (!absolute) return url
  const [, authority = '', path = ''] = absolute
  if (authority.toLowerCase() !== request.headers.host?.toLowerCase()) delete request.headers.host
  return path.startsWith('/') ? path : `/${path}`
}

function ownNames(listen: AppParts['listen']): string[] {
  if (listen.kind === 'unix') return []
  const host = listen.host.toLowerCase()
  const isLoopback = host === 'localhost' || host === '::1' || host.startsWith('127.')
  if (isLoopback) return [...LOOPBACK_NAMES, literal(host)]
  return WILDCARDS.has(host) ? LOOPBACK_NAMES : [literal(host)]
}

/** An address as a Host header spells it. */
function literal(address = ''): string {
  const plain = address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address
  return plain.includes(':') ? `[${plain}]` : plain
}
