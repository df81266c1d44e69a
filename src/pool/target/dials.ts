/**
 * When a target may be dialled, where, and what its dials have come to: the breaker, the backoff, the hosts, and how many
 * are under way.
 * Whoever waits for its turn to dial is called when there may be one.
 */
import type { ErrorCode, SockpoolError } from '../../base/errors.ts'
import { timerMs } from '../../base/timer.ts'
import type { Target } from '../../config/target.ts'
import type { IoConnection } from '../../threads/io-connection.ts'
import type { Dial } from '../../threads/protocol.ts'
import type { SpanParent } from '../../tracing/caller-trace.ts'
import { Breaker, type BreakerName, type DialRole } from './breaker.ts'
import type { Connector } from './connector.ts'
import { DialBackoff } from './dial-backoff.ts'
import { DialSpan, type DialSpanTarget } from './dial-span.ts'
import { type DialWish, wishedDial } from './dial-wish.ts'
import { Hosts, type LeasedByHost } from './hosts.ts'
import type { TargetNews } from './pool-news.ts'
import type { TargetTally } from './target-tally.ts'

export type DialsDeps = Pick<DialSpanTarget, 'name' | 'origin'> & {
  readonly target: Target
  readonly dial: Dial
  readonly connector: Connector
  /** Hears of dials that fail, and of the breaker. */
  readonly tidings: TargetNews
  /** Counts how long dials take, and what they come to. */
  readonly tally?: TargetTally | undefined
  readonly now: () => number
  /** 0 has every dial begin at once. */
  readonly random: () => number
  readonly leased: LeasedByHost
  /** A dial may begin that had to wait. */
  readonly onDue: () => void
}

/** A dial under way, as it began. */
export class DialAttempt {
  /** Whose it is: what became of it says nothing of a target that has changed since. */
  readonly dials: Dials
  readonly role: DialRole
  readonly round: number
  /** The hosts as it tries them, by their place in the target's list. */
  readonly order: readonly number[]
  readonly sinceMs: number
  /** Which of the order was tried last. */
  #last = 0

  constructor(dials: Dials, role: DialRole, round: number, order: readonly number[], sinceMs: number) {
    this.dials = dials
    this.role = role
    this.round = round
    this.order = order
    this.sinceMs = sinceMs
  }

  tried(place: number): void {
    this.#last = place
  }

  /** The host that was tried last. */
  get host(): number {
    return this.order[this.#last] ?? 0
  }

  /** Those that were tried before. */
  get passed(): readonly number[] {
    return this.order.slice(0, this.#last)
  }
}

/** Failures that say nothing of the target: what this process lacks, has lost or forbids, and who gave up. */
const OURS: ReadonlySet<ErrorCode> = new Set(['QUEUE_FULL', 'WORKER_LOST', 'TARGET_DENIED', 'ABORTED'])

export class Dials {
  readonly #deps: DialsDeps
  readonly #breaker: Breaker
  readonly #backoff: DialBackoff
  readonly hosts: Hosts
  #timer: NodeJS.Timeout | null = null
  /** The backoff was not over when a dial was last thought of; it may be by now. */
  #isHeldBack = false
  /** The breaker's state as it was told last. */
  #told: BreakerName

  constructor(deps: DialsDeps) {
    const { target, now, random, leased } = deps
    this.#deps = deps
    this.#breaker = new Breaker(target.breaker, now)
    this.#backoff = new DialBackoff(now, random)
    this.hosts = new Hosts(target.hosts, target.balance, leased, now, random)
    this.#told = this.#breaker.name
  }

  get breaker(): BreakerName {
    return this.#breaker.name
  }

  /** Why whoever needs a dial fails at once: BREAKER_OPEN; or null. */
  get refusal(): SockpoolError | null {
    return this.#breaker.refusal
  }

  /** Why whoever waits for a dial would wait in vain: BREAKER_OPEN; or null. */
  get lastingRefusal(): SockpoolError | null {
    return this.#breaker.lasting
  }

  /** Whether one more may begin, with so many under way. */
  mayBegin(connecting: number): boolean {
    const { maxConnecting } = this.#deps.target.pool
    this.#isHeldBack = this.#backoff.leftMs > 0
    return connecting < maxConnecting && this.#breaker.mayDial && !this.#isHeldBack
  }

  /** How many could begin now, with so many under way. */
  roomFor(connecting: number): number {
    if (!this.#breaker.mayDial || this.#backoff.leftMs > 0) return 0
    // A target that has failed is tried by one dial.
    if (this.#breaker.name === 'half_open') return 1
    return Math.max(0, this.#deps.target.pool.maxConnecting - connecting)
  }

  begin(): DialAttempt {
    const role = this.#breaker.begun()
    this.#tellBreaker()
    return new DialAttempt(this, role, this.#backoff.round, this.hosts.order(), this.#deps.now())
  }

  /** `within`: what the span of the dial hangs below; null for nothing. Errors: those of the dial. */
  open(
    attempt: DialAttempt,
    signal: AbortSignal,
    wish: DialWish | null = null,
    within: SpanParent | null = null,
  ): Promise<IoConnection> {
    const { name, origin, target, dial, connector } = this.#deps
    const places = attempt.order.map(host => dial.places[host]).filter(place => place !== undefined)
    const span = DialSpan.begin({ name, origin, target, path: dial.path }, within)
    const opened = connector.open({
      dial: wishedDial({ ...dial, places }, wish),
      ...(wish && { thread: wish.thread }),
      connectTimeoutMs: target.pool.connectTimeoutMs,
      signal,
      onPlace: place => attempt.tried(place),
    })
    span?.follow(opened, () => attempt.host)
    return opened
  }

  succeeded({ passed, host, sinceMs }: DialAttempt): void {
    const { tally, now } = this.#deps
    tally?.connected.succeeded(now() - sinceMs)
    for (const tried of passed) this.hosts.failed(tried)
    this.hosts.succeeded(host)
    this.#breaker.succeeded()
    this.#backoff.succeeded()
    this.#tellBreaker()
  }

  failed({ role, round, passed, host, sinceMs }: DialAttempt, code: ErrorCode): void {
    const { tidings, tally, now } = this.#deps
    tally?.connected.ended(now() - sinceMs, code.toLowerCase())
    if (tidings.isHeard) tidings.tell('connect', { reason: code.toLowerCase() })
    if (OURS.has(code)) return this.#breaker.ended(role)
    for (const tried of [...passed, host]) this.hosts.failed(tried)
    this.#breaker.failed(role, code)
    this.#backoff.failed(round)
    this.#tellBreaker()
  }

  #tellBreaker(): void {
    const { name } = this.#breaker
    if (name === this.#told) return
    this.#told = name
    this.#deps.tidings.tell('breaker', { reason: name })
  }

  /** Somebody waits for a dial: has `onDue` called once the backoff is over. What else it waits for ends by itself. */
  await(): void {
    // By what was seen then: where the backoff ends between two looks, nobody else would have the dial begun.
    if (!this.#isHeldBack || this.#timer !== null) return
    const onTime = (): void => {
      this.#timer = null
      this.#deps.onDue()
    }
    this.#timer = setTimeout(onTime, timerMs(Math.ceil(this.#backoff.leftMs))).unref()
  }

  stop(): void {
    if (this.#timer) clearTimeout(this.#timer)
    this.#timer = null
  }
}
