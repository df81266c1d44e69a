/**
 * Which Host and Origin headers may reach the routes. A page in a local browser can send requests to a loopback
 * port, directly or under a name of its own that resolves to 127.0.0.1; but it cannot forge these headers.
 */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { FastifyInstance } from 'fastify'
import { SockpoolError } from '../../base/errors.ts'
import type { ListenAddress } from '../../config/address.ts'
import type { DoorDeps } from '../ports.ts'
import { invalidField } from '../problems.ts'
import { isOpenRoute } from './auth.ts'

const LOOPBACK_NAMES = ['127.0.0.1', 'localhost', '[::1]']
const WILDCARDS = new Set(['0.0.0.0', '::', ''])
const HOST = /^(\[[0-9a-f:.]+\]|[^:/?#@[\]\s]+)(?::(\d{1,5}))?$/

/** What a request tells about the web page that sent it. */
export interface PageFacts {
  readonly host: string | undefined
  readonly origin: string | undefined
  readonly fetchSite: string | undefined
}

/** What the policy judges in a request. */
export interface HostFacts extends PageFacts {
  /** Of the HTTP connection; absent where there is none. */
  readonly localAddress: string | undefined
  readonly localPort: number | undefined
}

export type HostRules = Pick<DoorDeps, 'listen' | 'hosts' | 'origins' | 'members'> & {
  /** Whether the listener itself speaks TLS. */
  readonly tls: boolean
}

export class HostPolicy {
  readonly #rules: HostRules
  /** Names that are valid together with the listener's own port. */
  #own: ReadonlySet<string>
  #listen: HostRules['listen']
  /** The configured names: `host` is valid with any port, `host:port` with that one. */
  #configured: ReadonlySet<string> = new Set()
  #origins: ReadonlySet<string> = new Set()
  /** The one that was admitted last: mostly the next request names it too. */
  #admitted: HostFacts | null = null

  constructor(rules: HostRules) {
    this.#rules = rules
    this.#listen = rules.listen
    this.#own = new Set(ownNames(rules.listen))
    this.replace(rules)
  }

  /** It listens there, which was not known before. */
  listensAt(listen: ListenAddress): void {
    this.#listen = listen
    this.#own = new Set(ownNames(listen))
    this.#admitted = null
  }

  /** Takes other configured names and origins. */
  replace({ hosts, origins }: Pick<HostRules, 'hosts' | 'origins'>): void {
    this.#configured = new Set(hosts.map(host => host.toLowerCase()))
    this.#origins = new Set(origins.map(origin => origin.toLowerCase()))
    this.#admitted = null
  }

  /** Whether any page of another origin may call. */
  get namesOrigins(): boolean {
    return this.#origins.size > 0
  }

  /** Whether the pages of this origin may call, whatever their own address is. */
  lists(origin: string | undefined): boolean {
    return origin !== undefined && this.#origins.has(origin.toLowerCase())
  }

  /** Errors: HOST_DENIED for a Host header that is not the service's, and for a page that may not call. */
  check(facts: HostFacts): void {
    const known = this.#admitted
    const isKnown =
      known !== null &&
      known.host === facts.host &&
      known.localPort === facts.localPort &&
      known.localAddress === facts.localAddress
    if (!isKnown && this.#isMembers(facts)) return this.checkPage(facts)
    if (!isKnown && !this.#admitsHost(facts))
      throw new SockpoolError(
        'HOST_DENIED',
        'the Host header names another service; the operator can add the name to http.hosts',
      )
    if (!isKnown) this.#admitted = facts
    this.checkPage(facts)
  }

  /** Checks the page alone, for a request whose Host header names someone else. Errors: HOST_DENIED. */
  checkPage(facts: PageFacts): void {
    if (!this.#admitsPage(facts))
      throw new SockpoolError(
        'HOST_DENIED',
        'a page of this origin may not call; the operator can add the origin to http.origins',
      )
  }

  /** Members come and go without a word to this policy, so that none is remembered. */
  #isMembers({ host }: HostFacts): boolean {
    return host !== undefined && this.#rules.members?.has(host.toLowerCase()) === true
  }

  #admitsHost({ host, localAddress, localPort }: HostFacts): boolean {
    const { tls } = this.#rules
    const listen = this.#listen
    if (listen === null) return false
    // Nobody can rebind a name to a unix socket, and clients put anything into the Host header there.
    if (listen.kind === 'unix') return true
    const [, name, port] = HOST.exec((host ?? '').toLowerCase()) ?? []
    if (name === undefined) return false
    if (this.#configured.has(name) || this.#configured.has(`${name}:${port}`)) return true
    const presented = port === undefined ? (tls ? 443 : 80) : Number(port)
    if (presented !== (localPort ?? listen.port)) return false
    // On a wildcard listener the address that the client dialled is safe: it is not resolved, so nobody can rebind it.
    return this.#own.has(name) || (WILDCARDS.has(listen.host) && name === literal(localAddress))
  }

  #admitsPage({ host, origin, fetchSite }: PageFacts): boolean {
    if (origin !== undefined) {
      const scheme = this.#rules.tls ? 'https' : 'http'
      const sent = origin.toLowerCase()
      return this.lists(sent) || sent === `${scheme}://${host?.toLowerCase()}`
    }
    // `same-site` is a page on another port of this host: it is as foreign as any other.
    return fetchSite === undefined || fetchSite === 'same-origin' || fetchSite === 'none'
  }
}

/** Refuses requests with a foreign Host or Origin, for every method and every route but the open ones. */
export function registerHostPolicy(app: FastifyInstance, policy: HostPolicy): void {
  app.addHook('onRequest', (request, reply, done) => {
    const { headers, socket, raw } = request
    const hosts = hostHeaders(raw.rawHeaders)
    if (hosts === 0 && raw.httpVersion === '1.1') {
      reply.header('connection', 'close')
      return done(invalidField('host', 'a request of HTTP/1.1 must have a Host header'))
    }
    if (isOpenRoute(request)) return done()
    const { localAddress, localPort } = socket
    const { host, origin, fetchSite } = pageFacts(headers)
    // Node keeps the first of two Host headers; a proxy in front of the service may have judged the second.
    const named = hosts <= 1 ? host : undefined
    policy.check({ host: named, origin, fetchSite, localAddress, localPort })
    done()
  })
}

function hostHeaders(rawHeaders: readonly string[]): number {
  let count = 0
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]
    if (name?.length === 4 && name.toLowerCase() === 'host') count++
  }
  return count
}

/** What the headers tell about the page. */
export function pageFacts(headers: IncomingHttpHeaders): PageFacts {
  const fetchSite = headers['sec-fetch-site']
  return {
    host: headers.host,
    origin: headers.origin,
    fetchSite: Array.isArray(fetchSite) ? fetchSite.join() : fetchSite,
  }
}

/**
 * The path of an absolute-form request target. Its authority replaces the Host header (RFC 9112, 3.2.2). Where the two
 * differ, the Host header is removed, so that the policy refuses the request.
 */
export function originForm(request: Pick<IncomingMessage, 'url' | 'headers'>): string {
  const url = request.url ?? '/'
  const absolute = /^https?:\/\/([^/?#]*)(.*)$/i.exec(url)
  if (!absolute) return url
  const [, authority = '', path = ''] = absolute
  if (authority.toLowerCase() !== request.headers.host?.toLowerCase()) delete request.headers.host
  return path.startsWith('/') ? path : `/${path}`
}

function ownNames(listen: DoorDeps['listen']): string[] {
  if (listen === null || listen.kind === 'unix') return []
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
