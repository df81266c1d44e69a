/**
 * How many connections of a capped target may be open at an instant: the cap; and beyond it what an instance still has that could not
 * hear of the engine for longer than its word holds there, until it has, and has closed that; and one chunk of each instance for as
 * long after the engine came back empty.
 */
import { LIMITS } from '../../src/base/limits.ts'
import type { OpenCounts } from './upstream.ts'

/** Milliseconds in which an instance that hears again asks, and has closed what is too much, on a machine that is busy. */
const SETTLE_MS = 5_000
/** Milliseconds by which what was seen here may be late. */
const LATE_MS = 250
/** Milliseconds after which an instance without an engine may have said nothing new for as long: a renewal, and the tries to reach it. */
const GAP_MS = LIMITS.fleetRenewMs + 3_000

type Span = { readonly fromMs: number; toMs: number }

/** What stood against the cap at an instant. */
export type Judged = {
  readonly counts: OpenCounts
  readonly allowed: number
  /** Places of the instances that are excused then. */
  readonly excused: readonly number[]
  /** Whether that lies within the time after the engine came back empty. */
  readonly isAfterLoss: boolean
}

/** What has been done to the fleet, and when. */
export class CapLaw {
  readonly cap: number
  readonly #instances: number
  /** By instance: when it stood still. */
  readonly #frozen: readonly Span[][]
  readonly #engineAway: Span[] = []
  readonly #emptiedMs: number[] = []
  readonly #now: () => number

  /** `now`: milliseconds since 1970. */
  constructor(cap: number, instances: number, now: () => number = Date.now) {
    this.cap = cap
    this.#now = now
    this.#instances = instances
    this.#frozen = Array.from({ length: instances }, () => [])
  }

  /** One instance stands still, until what is given back is called. */
  freeze(instance: number): () => void {
    return this.#begin(this.#frozen[instance] ?? [])
  }

  /** Nobody hears of the engine, until what is given back is called. */
  loseEngine(): () => void {
    return this.#begin(this.#engineAway)
  }

  /** The engine starts, and knows nothing any more. */
  emptied(): void {
    this.#emptiedMs.push(this.#now())
  }

  /** Each instant with more than the cap, and what was allowed then. `counts`: all that there were, in turn. */
  judge(counts: readonly OpenCounts[]): readonly Judged[] {
    const excuses = this.#excuses(counts)
    return counts.filter(({ total }) => total > this.cap).map(row => this.#judgeOne(row, excuses))
  }

  #begin(spans: Span[]): () => void {
    const span: Span = { fromMs: this.#now(), toMs: Number.POSITIVE_INFINITY }
    spans.push(span)
    return () => {
      span.toMs = this.#now()
    }
  }

  #judgeOne(counts: OpenCounts, excuses: readonly Excuse[]): Judged {
    const { atMs, byPort } = counts
    const isAfterLoss = this.#emptiedMs.some(
      // The time begins with the first word that comes after, which whoever is connected again has said by then.
      emptiedMs => atMs >= emptiedMs && atMs <= emptiedMs + GAP_MS + LIMITS.fleetTtlMs,
    )
    const chunk = Math.max(1, Math.floor(this.cap / LIMITS.fleetChunksMax))
    let allowed = this.cap + (isAfterLoss ? chunk * this.#instances : 0)
    const held = new Map<number, number>()
    for (const excuse of excuses)
      if (atMs >= excuse.fromMs && atMs <= excuse.toMs)
        held.set(excuse.instance, Math.max(excuse.held, held.get(excuse.instance) ?? 0))
    for (const [instance, most] of held) allowed += Math.min(most, byPort[instance] ?? 0)
    return { counts, allowed, excused: [...held.keys()], isAfterLoss }
  }

  /** When what an instance has by an old word may be too much, and how many connections that is at the most. */
  #excuses(counts: readonly OpenCounts[]): readonly Excuse[] {
    return this.#frozen.flatMap((spans, instance) =>
      // Between two of them it may have heard a word, or none: what it had when each word that may be its last ended is excused.
      [...joined([...spans, ...this.#engineAway]), ...spans]
        // The last word of an instance is as old as a renewal when it falls silent, at the most.
        .map(({ fromMs, toMs }) => ({
          instance,
          fromMs: fromMs - LIMITS.fleetRenewMs + LIMITS.fleetTtlMs - LATE_MS,
          toMs: toMs + SETTLE_MS,
          silentMs: toMs - fromMs,
        }))
        .filter(({ silentMs }) => silentMs >= LIMITS.fleetTtlMs - LIMITS.fleetRenewMs - LATE_MS)
        .map(excuse => ({ ...excuse, held: heldAt(counts, excuse.instance, excuse.fromMs) })),
    )
  }
}

type Excuse = Span & { readonly instance: number; readonly held: number }

/** Spans that lie so close that nothing need have been heard between them are one. */
function joined(spans: readonly Span[]): readonly Span[] {
  const sorted = spans.toSorted((one, other) => one.fromMs - other.fromMs)
  const all: Span[] = []
  for (const span of sorted) {
    const last = all.at(-1)
    if (last !== undefined && span.fromMs <= last.toMs + GAP_MS) last.toMs = Math.max(last.toMs, span.toMs)
    else all.push({ ...span })
  }
  return all
}

/** How many connections an instance had at an instant: the last that was counted before. */
function heldAt(counts: readonly OpenCounts[], instance: number, atMs: number): number {
  const before = counts.findLast(row => row.atMs <= atMs)
  return before?.byPort[instance] ?? 0
}
