/**
 * The slots of one target and what is in them.
 *
 * The conservation law: connecting + idle + leased + multiplexed + quarantined + closing = slots in use ≤ max. It is checked at
 * every step; a step that breaks it is a fault of ours. Where permits bound the slots too, max is what they leave of it.
 */
import { invariant } from '../../base/errors.ts'
import type { Permits } from './permits.ts'
import type { TargetNews } from './pool-news.ts'
import { SLOT_STATES, type Slot, type SlotState, type SlotStateName } from './slot.ts'
import type { TargetTally } from './target-tally.ts'

/** Of a connection that is there and goes on: a step between them takes no slot and frees none. */
const STANDING: ReadonlySet<SlotStateName> = new Set(['idle', 'leased', 'multiplexed', 'quarantined'])

export type SlotCounts = Readonly<Record<SlotStateName, number>>

/** What has become of a target's connections so far: how many were opened, and closed, by reason; the leases they served. */
export type SlotHistory = {
  readonly opened: number
  readonly closed: Readonly<Record<string, number>>
  readonly served: number
}

export class Slots {
  readonly #all = new Set<Slot>()
  readonly #counts: Record<SlotStateName, number> = {
    connecting: 0,
    idle: 0,
    leased: 0,
    multiplexed: 0,
    quarantined: 0,
    closing: 0,
  }
  /** Of the closing ones, those that are free only once their last bytes are sent. */
  #lingering = 0
  /** By the time since when they are idle. Last in, first out: the busy ones stay warm, the rest grows old at the bottom. */
  readonly #idle: Slot[] = []
  /** By tenant: connections that are back in a moment. */
  readonly #returning = new Map<string, number>()
  readonly #closedFor = new Map<string, number>()
  /** Leases of the connections that are gone: a count of all of them would cost each lease a step more. */
  #usesBefore = 0
  #opened = 0

  readonly #news: TargetNews | null
  readonly #tally: TargetTally | null
  #max: number
  /** Null where nobody but the target bounds them. */
  #permits: Permits | null = null
  /** The most that may be in use: the maximum, and what was there beyond it when it was lowered. */
  #bound: number

  /** `news`: hears of connections that come and go; `tally` counts them. */
  constructor(max: number, news: TargetNews | null = null, tally: TargetTally | null = null) {
    this.#news = news
    this.#tally = tally
    this.#max = max
    this.#bound = max
  }

  /** The target's own maximum. */
  get maxOwn(): number {
    return this.#max
  }

  /** The maximum, of which permits may leave less. */
  get max(): number {
    return this.#permits === null ? this.#max : Math.min(this.#max, this.#permits.granted)
  }

  /** Has permits bound them from now on, and hear what becomes of them. */
  heed(permits: Permits | null): void {
    this.#permits = permits
  }

  /** What is lacking, or to spare, may have changed. */
  changed(): void {
    this.#permits?.changed()
  }

  /** What is there beyond a lower maximum stays until it ends. */
  resize(max: number): void {
    this.#max = max
    this.#bound = Math.max(this.max, this.size)
    this.changed()
  }

  get size(): number {
    return this.#all.size
  }

  get isFull(): boolean {
    return this.#all.size >= this.max
  }

  /** Whether the target's own maximum is reached, permits or none. */
  get isFullOwn(): boolean {
    return this.#all.size >= this.#max
  }

  /** Slots that serve, or will: all but the closing ones. */
  get open(): number {
    return this.#all.size - this.#counts.closing
  }

  /** Slots that are free as soon as an I/O worker has heard of it. */
  get closingAtOnce(): number {
    return this.#counts.closing - this.#lingering
  }

  get counts(): SlotCounts {
    return { ...this.#counts }
  }

  get connecting(): number {
    return this.#counts.connecting
  }

  /** Slots that are there for new connections now, or within a moment: free ones, dials, and those about to be free. */
  get rooms(): number {
    const { idle, leased, multiplexed, quarantined } = this.#counts
    return this.max - idle - leased - multiplexed - quarantined - this.#lingering
  }

  /** Connections that somebody holds, or has just given back. */
  get out(): number {
    return this.#counts.leased + this.#counts.quarantined
  }

  /** Of those that are out, the ones of this tenant. */
  outOf(tenant: string): number {
    let count = 0
    for (const { state, tenant: own } of this.#all)
      if (own === tenant && (state.kind === 'leased' || state.kind === 'quarantined')) count++
    return count
  }

  get hasReturning(): boolean {
    return this.#returning.size > 0
  }

  /** Of this tenant's connections those that are back in a moment. */
  returningTo(tenant: string): number {
    return this.#returning.get(tenant) ?? 0
  }

  /** Of the idle ones, those of this tenant. */
  idleOf(tenant: string): number {
    let count = 0
    for (const { tenant: own } of this.#idle) if (own === tenant) count++
    return count
  }

  /** How many connections there are of each host, and of those in use how many are leased. */
  byHost(states: readonly SlotStateName[]): ReadonlyMap<number, number> {
    const counts = new Map<number, number>()
    for (const { state, host } of this.#all)
      if (states.includes(state.kind)) counts.set(host, (counts.get(host) ?? 0) + 1)
    return counts
  }

  get all(): readonly Slot[] {
    return [...this.#all]
  }

  /** The idle ones, the longest idle first. */
  get idle(): readonly Slot[] {
    return this.#idle
  }

  get history(): SlotHistory {
    return { opened: this.#opened, closed: Object.fromEntries(this.#closedFor), served: this.#served }
  }

  /** A dial has come to a connection, whatever becomes of that. */
  opened(slot: Slot): void {
    slot.wasOpened = true
    this.#opened++
    this.#tally?.countOpened()
  }

  /** Leases so far, those that are out included. */
  get #served(): number {
    let uses = this.#usesBefore
    for (const slot of this.#all) uses += slot.uses
    return uses
  }

  /** Takes a slot for a connection that is about to be dialled. */
  add(slot: Slot): void {
    // Permits may be others by now.
    this.#bound = Math.max(this.max, this.size)
    this.#all.add(slot)
    this.#counts.connecting++
    this.#check()
    this.changed()
  }

  move(slot: Slot, next: SlotState): void {
    const { state } = slot
    const before = state.kind
    slot.move(next)
    if (state.kind === 'quarantined' && state.returnsSinceMs !== null) this.#countReturning(slot, -1)
    if (next.kind === 'quarantined' && next.returnsSinceMs !== null) this.#countReturning(slot, 1)
    this.#counts[before]--
    this.#counts[next.kind]++
    if (next.kind === 'closing' && next.lingers) this.#lingering++
    if (before === 'idle') this.#leaveIdle(slot)
    if (next.kind === 'idle') this.#addIdle(slot, next.sinceMs)
    if (next.kind === 'idle' && before === 'connecting' && this.#news?.isHeard)
      this.#news.tell('connect', { connection: next.connection.id, ms: next.sinceMs - slot.createdMs })
    this.#check()
    if (STANDING.has(before) && STANDING.has(next.kind)) this.#permits?.idled()
    else this.changed()
  }

  /** Gives a closing slot back. */
  free(slot: Slot): void {
    if (!this.#all.delete(slot)) return
    const { state } = slot
    invariant(state.kind === 'closing', () => `a ${state.kind} slot was freed`)
    this.#counts.closing--
    this.#bound = Math.max(this.max, this.size)
    if (state.lingers) this.#lingering--
    if (state.connection !== null && this.#news?.isHeard)
      this.#news.tell('close', { connection: state.connection.id, reason: state.reason })
    this.#usesBefore += slot.uses
    this.#closedFor.set(state.reason, (this.#closedFor.get(state.reason) ?? 0) + 1)
    // A dial that failed, or was given up, closed nothing.
    if (slot.wasOpened) this.#tally?.countClosed(state.reason)
    this.#check()
    this.changed()
  }

  #countReturning({ tenant }: Slot, step: 1 | -1): void {
    if (tenant === null) return
    const count = this.returningTo(tenant) + step
    if (count > 0) this.#returning.set(tenant, count)
    else this.#returning.delete(tenant)
  }

  #leaveIdle(slot: Slot): void {
    // Mostly it is the last one, and costs no list of what was taken out.
    if (this.#idle.at(-1) === slot) this.#idle.pop()
    else this.#idle.splice(this.#idle.lastIndexOf(slot), 1)
  }

  #addIdle(slot: Slot, sinceMs: number): void {
    let index = this.#idle.length
    for (; index > 0; index--) {
      const state = this.#idle[index - 1]?.state
      if (state?.kind !== 'idle' || state.sinceMs <= sinceMs) break
    }
    if (index === this.#idle.length) this.#idle.push(slot)
    else this.#idle.splice(index, 0, slot)
  }

  describe(): string {
    const counts = SLOT_STATES.map(state => `${this.#counts[state]} ${state}`)
    const permitted = this.max < this.#max ? `, ${this.max} permitted` : ''
    return `${counts.join(', ')} of ${this.#max}${permitted}`
  }

  #check(): void {
    const { connecting, idle, leased, multiplexed, quarantined, closing } = this.#counts
    const sum = connecting + idle + leased + multiplexed + quarantined + closing
    if (sum === this.size && sum <= this.#bound) return
    invariant(false, `${this.size} slots in use: ${this.describe()}`)
  }
}
