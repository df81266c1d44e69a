/**
 * This start of an instance among others: it says every few seconds that it is there, hears who else is, and learns when
 * another start takes its name.
 */
import { LIMITS } from '../base/limits.ts'
import { timerMs } from '../base/timer.ts'
import { CHANNEL, type EngineAsk } from './engine.ts'
import type { MemberFacts, MemberList } from './member-list.ts'
import { LEAVE, MEMBER_KEYS, PRESENT } from './member-scripts.ts'
import type { FleetTimes } from './quota-state.ts'

export type MembershipDeps = {
  readonly name: string
  readonly boot: string
  readonly engine: EngineAsk
  readonly list: MemberList
  readonly times: FleetTimes
  readonly facts: () => MemberFacts
  readonly onChange: (state: MembershipState) => void
  /** What was said was heard, each time. */
  readonly onHeard: () => void
  readonly now: () => number
  readonly random: () => number
}

export type MembershipState =
  /** It has not said yet that it is there. */
  | { readonly kind: 'apart' }
  | { readonly kind: 'joined' }
  /** What it said last was not heard. */
  | { readonly kind: 'degraded'; readonly reason: unknown }
  /** Another start has its name. */
  | { readonly kind: 'replaced' }
  | { readonly kind: 'left' }

export class Membership {
  readonly #deps: MembershipDeps
  #state: MembershipState = { kind: 'apart' }
  /** When it came, by the engine's clock; 0 until that is known. */
  #epoch = 0
  /** The engine may have heard of it, whether an answer came or not. */
  #hasSpoken = false
  /** The number of changes that the list has. */
  #version = ''
  #timer: NodeJS.Timeout | null = null
  #saying: Promise<void> | null = null
  /** Somebody has asked again since. */
  #isAskedAgain = false

  constructor(deps: MembershipDeps) {
    this.#deps = deps
  }

  get state(): MembershipState {
    return this.#state
  }

  /** Joins, and says so again and again from now on. Resolves after the first attempt; it never rejects. */
  async join(): Promise<void> {
    this.#saying ??= this.#say()
    await this.#saying
  }

  /** Says at once that it is there, and hears what has changed; nothing before it has joined. It never rejects. */
  async say(): Promise<void> {
    if (this.#isOver()) return
    if (this.#saying !== null) {
      // Its answer may be older than what the caller knows of.
      this.#isAskedAgain = true
      return await this.#saying
    }
    if (this.#state.kind === 'apart') return
    this.#saying = this.#say()
    await this.#saying
  }

  /** Has the list be told anew, with the figures of each. It never rejects. */
  async refresh(): Promise<void> {
    this.#version = ''
    await this.say()
  }

  /** The engine is there again, or has gone. */
  onBack(spreadMs: number): void {
    if (this.#state.kind !== 'apart') this.#sayIn(this.#deps.random() * spreadMs)
  }

  onAway(reason: string): void {
    if (this.#state.kind === 'joined') this.#become({ kind: 'degraded', reason: new Error(reason) })
  }

  /** Says that it is gone. Errors: an Error where that was not heard; it is forgotten after its TTL then. */
  async leave(): Promise<void> {
    if (this.#state.kind === 'left') return
    const { name, boot, engine } = this.#deps
    this.#stop()
    this.#become({ kind: 'left' })
    await this.#saying
    if (this.#hasSpoken) await engine.ask(LEAVE, MEMBER_KEYS, [CHANNEL, name, boot])
  }

  async #say(): Promise<void> {
    do {
      this.#isAskedAgain = false
      await this.#sayOnce()
    } while (this.#isAskedAgain && this.#state.kind === 'joined')
    this.#saying = null
    const { renewMs } = this.#deps.times
    if (!this.#isOver())
      this.#sayIn(
        this.#state.kind === 'joined'
          ? renewMs * (0.9 + this.#deps.random() / 10)
          : (renewMs / 5) * (0.5 + this.#deps.random()),
      )
  }

  async #sayOnce(): Promise<void> {
    const { name, boot, engine, times, facts, now } = this.#deps
    const args = [CHANNEL, name, boot, this.#version, JSON.stringify(facts()), this.#epoch, times.ttlMs]
    this.#hasSpoken = true
    try {
      const answer = await engine.ask(PRESENT, MEMBER_KEYS, args)
      if (this.#isOver()) return
      this.#become(this.#heard(answer, now()))
      this.#deps.onHeard()
    } catch (error) {
      if (!this.#isOver()) this.#become({ kind: 'degraded', reason: error })
    }
  }

  /** Errors: an Error where it is no answer. */
  #heard(answer: unknown, nowMs: number): MembershipState {
    const [kind, epoch, version, members, starts]: unknown[] = Array.isArray(answer) ? answer : []
    if (kind === 'replaced') return { kind: 'replaced' }
    if (kind === 'full') throw new Error(`the fleet has ${LIMITS.fleetInstancesMax} instances already`)
    if (kind !== 'present' || typeof epoch !== 'number' || typeof version !== 'string')
      throw new Error('the engine answers with what cannot be of members')
    this.#epoch = epoch
    if (members === undefined) this.#deps.list.touch(nowMs)
    else this.#deps.list.replace(members, starts, nowMs)
    this.#version = version
    return { kind: 'joined' }
  }

  #sayIn(ms: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.say(), timerMs(ms)).unref()
  }

  #isOver(): boolean {
    return this.#state.kind === 'replaced' || this.#state.kind === 'left'
  }

  #become(state: MembershipState): void {
    const before = this.#state.kind
    this.#state = state
    if (state.kind === 'replaced') this.#stop()
    if (before !== state.kind) this.#deps.onChange(state)
  }

  #stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }
}
