/** Who is there, as the engine last said; and who was, for as long as that is to be told from nobody. */
import { LIMITS } from '../base/limits.ts'

/** One instance by the engine's word. Instants are milliseconds of the engine's clock, but for `startedAt`, RFC 3339. */
export type FleetMember = MemberFacts & {
  readonly name: string
  readonly boot: string
  readonly seenAt: number
}

/** What an instance says of itself. */
export type MemberFacts = {
  readonly url: string
  readonly version: string
  readonly startedAt: string
  readonly leases: number
  readonly connections: number
}

/** Where a start is. */
export type StartPlace =
  | { readonly kind: 'there'; readonly url: string }
  /** It was there a short while ago, and the engine knows nothing of it: `decidedInMs` until it counts as lost. */
  | { readonly kind: 'missing'; readonly decidedInMs: number }
  | { readonly kind: 'lost' }
  | { readonly kind: 'unknown' }

export class MemberList {
  readonly #ttlMs: number
  #members: ReadonlyMap<string, FleetMember> = new Map()
  /** `<boot>:<name>` of all starts that the engine knows to have been there. */
  #starts: ReadonlySet<string> = new Set()
  /** By the same: when the engine last named it as one that is there (monotonic). In the order of that. */
  readonly #seen = new Map<string, number>()
  /** When the engine last answered (monotonic). */
  #heardMs = 0
  /** Since when it has heard so often that nobody can have come and gone unseen (monotonic). */
  #sinceMs = 0
  /** Hosts of all of them, and of this instance. The set stays the same. */
  readonly hosts: Set<string> = new Set()
  readonly #ownHost: string
  readonly #onHosts: () => void

  /** `onHosts`: hears that the hosts have become others. */
  constructor(ownUrl: string, ttlMs: number, onHosts: () => void = () => {}) {
    this.#ttlMs = ttlMs
    this.#onHosts = onHosts
    this.#ownHost = hostOf(ownUrl)
    this.hosts.add(this.#ownHost)
  }

  /** By name. */
  get all(): readonly FleetMember[] {
    return [...this.#members.values()].toSorted((one, other) => (one.name < other.name ? -1 : 1))
  }

  get size(): number {
    return this.#members.size
  }

  /**
   * Instances by name that were there within a TTL before the engine last answered: an engine that has lost everything names
   * only those that it has heard since.
   */
  get recent(): number {
    const sinceMs = this.#heardMs - this.#ttlMs
    const names = [...this.#seen].filter(([, seenMs]) => seenMs > sinceMs).map(([start]) => nameOf(start))
    return new Set(names).size
  }

  /** Takes the lists of an answer. Errors: an Error where they cannot be such. */
  replace(members: unknown, starts: unknown, nowMs: number): void {
    const [read, known] = [membersOf(members), startsOf(starts)]
    // Whoever was there until now was seen until now.
    this.touch(nowMs)
    this.#members = read
    this.#starts = known
    this.touch(nowMs)
    this.#forget(nowMs)
    this.#renewHosts()
  }

  #renewHosts(): void {
    const hosts = new Set([this.#ownHost, ...[...this.#members.values()].map(({ url }) => hostOf(url))])
    if (hosts.size === this.hosts.size && [...hosts].every(host => this.hosts.has(host))) return
    this.hosts.clear()
    for (const host of hosts) this.hosts.add(host)
    this.#onHosts()
  }

  /** The engine has said that nothing has changed. */
  touch(nowMs: number): void {
    if (nowMs - this.#heardMs > this.#ttlMs) this.#sinceMs = nowMs
    this.#heardMs = nowMs
    for (const { boot, name } of this.#members.values()) {
      const start = `${boot}:${name}`
      this.#seen.delete(start)
      this.#seen.set(start, nowMs)
    }
  }

  /** Whether a start that it does not know may have ended as late as those that it remembers: before it heard of any, or between. */
  mayHaveMissed(nowMs: number): boolean {
    return nowMs - this.#sinceMs < this.#ttlMs + LIMITS.fleetForgetMs
  }

  placeOf(name: string, boot: string, nowMs: number): StartPlace {
    const member = this.#members.get(name)
    if (member?.boot === boot) return { kind: 'there', url: member.url }
    const start = `${boot}:${name}`
    if (this.#starts.has(start)) return { kind: 'lost' }
    const seenMs = this.#seen.get(start)
    if (seenMs === undefined) return { kind: 'unknown' }
    const decidedInMs = seenMs + this.#ttlMs - nowMs
    return decidedInMs > 0 ? { kind: 'missing', decidedInMs } : { kind: 'lost' }
  }

  #forget(nowMs: number): void {
    for (const [start, seenMs] of this.#seen) {
      const isOld = seenMs + this.#ttlMs + LIMITS.fleetForgetMs < nowMs
      if (!isOld && this.#seen.size <= LIMITS.fleetStartsMax) return
      this.#seen.delete(start)
    }
  }
}

/** A boot has no colon. */
function nameOf(start: string): string {
  return start.slice(start.indexOf(':') + 1)
}

/** As a Host header names it. */
function hostOf(url: string): string {
  return new URL(url).host
}

/** From name, JSON, name, JSON … */
function membersOf(answer: unknown): ReadonlyMap<string, FleetMember> {
  if (!Array.isArray(answer) || answer.length % 2 !== 0 || answer.length > 2 * LIMITS.fleetInstancesMax)
    throw new Error('the engine names no members')
  const members = new Map<string, FleetMember>()
  for (let i = 0; i + 1 < answer.length; i += 2) {
    const [name, text]: unknown[] = answer.slice(i, i + 2)
    if (typeof name !== 'string' || typeof text !== 'string') throw new Error('the engine names no members')
    members.set(name, memberOf(name, text))
  }
  return members
}

function memberOf(name: string, text: string): FleetMember {
  const read: unknown = JSON.parse(text)
  const fault = new Error(`the engine tells of ${JSON.stringify(name)} what no member can be`)
  if (typeof read !== 'object' || read === null) throw fault
  const {
    boot,
    seenAt,
    url,
    version,
    startedAt,
    leases,
    connections,
  }: Partial<Record<keyof FleetMember, unknown>> = read
  const isText = typeof boot === 'string' && typeof version === 'string' && typeof startedAt === 'string'
  if (!isText || typeof url !== 'string' || !ORIGIN.test(url) || !URL.canParse(url)) throw fault
  if (!isNumber(seenAt) || !isNumber(leases) || !isNumber(connections)) throw fault
  return { name, boot, seenAt, url, version, startedAt, leases, connections }
}

const ORIGIN = /^https?:\/\/[^\s/?#@]+$/

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 && value < 8e15
}

function startsOf(answer: unknown): ReadonlySet<string> {
  const isList = Array.isArray(answer) && answer.every(start => typeof start === 'string')
  if (!isList) throw new Error('the engine names no starts')
  return new Set(answer.slice(-LIMITS.fleetStartsMax))
}
