/**
 * The permits of one capped target in this instance: what its pool asks at once, on its own thread, and beside it, in
 * turns of its own, what is said to the engine.
 *
 * `granted` grows by an answer alone, and shrinks before anything is given back: a word or an answer that is lost leaves
 * permits unused for a while, and never used twice. One word is under way at a time.
 */
import type { PermitMeters } from '../base/fleet-data.ts'
import { LIMITS } from '../base/limits.ts'
import type { Permits } from '../pool/target/permits.ts'
import { lossAllowance } from './engine-loss.ts'
import { LookTimer } from './look-timer.ts'
import { balanceOf, type PermitBalance } from './permit-balance.ts'
import { PermitLack } from './permit-lack.ts'
import type { PermitAccount, PermitAnswer, PermitWord } from './permits-ledger.ts'
import type { QuotaDeps } from './quota-deps.ts'
import { type QuotaState, stateDueMs, type Validity } from './quota-state.ts'

/** Others have asked since something was offered. */
const ASKED = -1

export class TargetQuota implements Permits {
  readonly #deps: QuotaDeps
  #state: QuotaState = { kind: 'unheard' }
  #granted = 0
  /** By the engine's last word. */
  #held = 0
  /** What each has by right, and until when others are known to lack some; 0 where none does. */
  #share = 0
  #othersWantUntilMs = 0
  /** Of what is to close, the idle connections that do by now, and until when that is believed. */
  #soon = 0
  #soonUntilMs = 0
  /** What the engine knows that is lacking here. */
  #saidLack = 0
  #saidCold = 0
  /** What it knows that could be given back, or ASKED. */
  #saidOffer = 0
  #seq = 0
  #spareSinceMs: number | null = null
  #spokenMs = Number.NEGATIVE_INFINITY
  #renewAtMs = Number.NEGATIVE_INFINITY
  #pollAtMs = 0
  #retryAtMs = 0
  #isHinted = false
  #isFailing = false
  readonly #lack = new PermitLack()
  /** The word that is under way. */
  #speaking: Promise<void> | null = null
  #closed: Promise<void> | null = null
  readonly #timer: LookTimer

  constructor(deps: QuotaDeps) {
    this.#deps = deps
    this.#timer = new LookTimer(() => this.look())
  }

  get granted(): number {
    return this.#granted
  }

  /** As they are now. */
  get meters(): PermitMeters {
    const { account, taker } = this.#deps
    const { taken, wanting } = taker.use
    return { cap: account.cap, granted: this.#granted, taken, wanting, waits: this.#lack.waits }
  }

  get account(): PermitAccount {
    return this.#deps.account
  }

  isCurrent(nowMs: number): boolean {
    const state = this.#state
    if (state.kind !== 'held') return state.kind !== 'doubtful'
    return nowMs < state.validUntilMs && this.#deps.wall() < state.validUntilWallMs
  }

  changed(): void {
    this.#timer.changed()
  }

  /** It is looked at only while others lack permits, so that a lease whose permit is at hand costs nothing here. */
  idled(): void {
    if (this.#othersWantUntilMs > 0) this.changed()
  }

  end(): void {
    void this.close()
  }

  /** Others lack permits. */
  onWant(): void {
    this.#othersWantUntilMs = this.#deps.now() + LIMITS.fleetWantMs
    this.#saidOffer = ASKED
    this.changed()
  }

  /** There are free ones. */
  onFree(): void {
    if (this.#saidLack === 0 && this.#saidCold === 0) return
    this.#isHinted = true
    this.changed()
  }

  /** The engine is there again: it is asked within `spreadMs`, each instance at a time of its own. */
  onBack(spreadMs: number): void {
    const isUrgent = this.#state.kind === 'doubtful' || this.#state.kind === 'unheard'
    this.#retryAtMs = this.#deps.now() + (isUrgent ? 0 : this.#deps.random() * spreadMs)
    this.changed()
  }

  /** Gives everything back. Nothing may be used any more. It never rejects. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    const { ledger, onFault, onEnd } = this.#deps
    this.#set({ kind: 'ended' }, 0)
    this.#timer.stop()
    // A word that came later would have the engine keep what it says.
    await this.#speaking
    // What cannot be given back expires.
    await ledger.giveAll(this.account).catch(onFault)
    onEnd()
  }

  /** Does what is due now; timers call it. */
  look(): void {
    if (this.#state.kind === 'ended') return
    const now = this.#deps.now()
    this.#age(now)
    if (this.#speaking === null) this.#tend(now)
    this.#timer.dueIn(this.#dueMs(now) - now)
  }

  /** What time alone changes. */
  #age(now: number): void {
    const { taker, times } = this.#deps
    const state = this.#state
    switch (state.kind) {
      case 'held':
        if (!this.isCurrent(now)) {
          this.#retryAtMs = now
          this.#become({ kind: 'doubtful', decideByMs: now + LIMITS.fleetAnswerMs }, this.#granted)
        } else if (state.overSinceMs !== null && now >= state.overSinceMs + times.ttlMs) {
          taker.cut()
          this.#become({ ...state, overSinceMs: now }, this.#granted)
        }
        return
      case 'doubtful':
        if (now >= state.decideByMs && this.#speaking === null) this.#lose(now + times.graceMs)
        return
      case 'lost':
        if (now >= state.growAtMs)
          this.#become({ kind: 'lost', growAtMs: Number.POSITIVE_INFINITY }, this.#allowance)
        return
      case 'unheard':
      case 'ended':
        return
      default:
        state satisfies never
    }
  }

  #tend(now: number): void {
    if (now >= this.#othersWantUntilMs) this.#othersWantUntilMs = 0
    this.#rest(now)
    const balance = this.#balance()
    this.#soon = now >= this.#soonUntilMs ? 0 : Math.min(this.#soon, balance.pending)
    this.#saidOffer = Math.min(this.#saidOffer, balance.offer)
    if (this.#speaksAt(now, balance) <= now) this.#speaking = this.#speak(now, balance)
  }

  /** Parts with what has been spare for some time. */
  #rest(now: number): void {
    const { chunk } = this.account
    const { spare, lack, cold } = this.#balance()
    if (this.#state.kind !== 'held' || spare < chunk || lack + cold > 0) {
      this.#spareSinceMs = null
      return
    }
    this.#spareSinceMs ??= now
    if (now - this.#spareSinceMs < LIMITS.fleetSpareMs) return
    this.#spareSinceMs = null
    this.#become(this.#state, this.#granted - Math.floor(spare / chunk) * chunk)
  }

  #balance(): PermitBalance {
    const { use } = this.#deps.taker
    // What it had without the engine it has from nobody.
    return balanceOf(use, this.#state.kind === 'lost' ? use.taken : this.#granted)
  }

  /** When something is to be said. */
  #speaksAt(now: number, { claim, lack, cold, offer }: PermitBalance): number {
    const state = this.#state
    if (state.kind === 'ended') return Number.POSITIVE_INFINITY
    if (state.kind !== 'held') return this.#retryAtMs
    const isNews = this.#isHinted || claim < this.#held || lack > this.#saidLack || cold > this.#saidCold
    const isAsked = now < this.#othersWantUntilMs && this.#granted > 0
    // What is its share may have changed since it last heard of it.
    const isRich = this.#saidOffer === ASKED && this.#granted > this.#share
    const isPressing = isRich || offer > Math.max(0, this.#saidOffer)
    const askedMs = isPressing ? this.#spokenMs + LIMITS.fleetYieldMs : this.#pollAtMs
    const isOpen = lack > 0 || this.#saidLack > 0 || this.#granted < this.#held
    const dueMs = Math.min(
      this.#renewAtMs,
      isNews ? this.#spokenMs + LIMITS.fleetNewsMs : Number.POSITIVE_INFINITY,
      isAsked ? askedMs : Number.POSITIVE_INFINITY,
      isOpen ? this.#pollAtMs : Number.POSITIVE_INFINITY,
    )
    return Math.max(dueMs, this.#retryAtMs)
  }

  /** When to look again, if nothing changes before. */
  #dueMs(now: number): number {
    const speaksAt = this.#speaking === null ? this.#speaksAt(now, this.#balance()) : Number.POSITIVE_INFINITY
    const spare =
      this.#spareSinceMs === null ? Number.POSITIVE_INFINITY : this.#spareSinceMs + LIMITS.fleetSpareMs
    const soon = this.#soon > 0 ? this.#soonUntilMs : Number.POSITIVE_INFINITY
    const state = stateDueMs(this.#state, this.#deps.times, now, this.#speaking !== null)
    return Math.min(speaksAt, spare, soon, state)
  }

  async #speak(now: number, balance: PermitBalance): Promise<void> {
    const { ledger, times, wall } = this.#deps
    const holdsMs = times.ttlMs - LIMITS.fleetMarginMs
    const validity = { validUntilMs: now + holdsMs, validUntilWallMs: wall() + holdsMs }
    const { claim, pending, offer, lack, cold } = balance
    const word = { seq: ++this.#seq, claim, pending, soon: this.#soon, offer, lack, cold }
    this.#lack.asked(lack, now)
    this.#isHinted = false
    this.#saidOffer = offer
    this.#spokenMs = now
    this.#pollAtMs = now + LIMITS.fleetPollMs * (0.75 + this.#deps.random() / 4)
    try {
      const answer = await ledger.settle(this.account, word)
      this.#speaking = null
      this.#isFailing = false
      if (this.#state.kind !== 'ended') this.#heard(word, answer, now, validity)
    } catch (error) {
      this.#speaking = null
      this.#failed(error)
    }
    // What has changed meanwhile has not been looked at.
    this.changed()
  }

  #heard(
    word: PermitWord,
    { held, yield: yielded, wants, share, settles }: PermitAnswer,
    sentMs: number,
    validity: Validity,
  ): void {
    const { taker, times, onEngineLoss } = this.#deps
    const now = this.#deps.now()
    const got = Math.max(0, held - word.claim)
    if (got > 0) this.#lack.got(now)
    this.#held = held
    this.#share = share
    this.#othersWantUntilMs = wants > 0 ? now + LIMITS.fleetWantMs : 0
    this.#saidLack = Math.max(0, word.lack - got)
    // What is asked for beside: while there is none, it is asked for with the renewals.
    this.#saidCold = Math.max(0, word.cold - Math.max(0, got - word.lack))
    this.#retryAtMs = 0
    this.#renewAtMs = sentMs + times.renewMs * (0.9 + this.#deps.random() / 10)
    if (settles && this.#saidLack + this.#saidCold > 0)
      this.#renewAtMs = Math.min(this.#renewAtMs, sentMs + LIMITS.fleetPollMs * 2)
    const { kind } = this.#state
    const isOver = taker.use.taken > held
    const since = this.#state.kind === 'held' ? (this.#state.overSinceMs ?? now) : now
    const next: QuotaState = {
      kind: 'held',
      ...validity,
      overSinceMs: isOver ? since : null,
    }
    // While nothing was heard in time others may have had it: what is left beyond is not to be used again, but where the
    // operator would rather pass the cap than end a lease.
    const isUnsure = kind === 'doubtful' || (kind === 'lost' && onEngineLoss !== 'local')
    if (isUnsure && isOver && held < word.claim) {
      this.#set(next, held)
      taker.cut()
      taker.refresh()
    } else if (isUnsure && isOver) {
      // It was dialled while the word was under way, and the engine has not refused it: it is claimed now.
      this.#isHinted = true
    }
    this.#become(next, held - yielded)
  }

  #failed(error: unknown): void {
    const { times, random } = this.#deps
    const now = this.#deps.now()
    if (!this.#isFailing) this.#deps.onFault(error)
    this.#isFailing = true
    const { kind } = this.#state
    const pauseMs = kind === 'doubtful' ? LIMITS.fleetDoubtMs : (times.renewMs / 5) * (0.5 + random())
    this.#retryAtMs = now + pauseMs
    // Others may hold everything, for as long as what the engine has told them holds.
    if (kind === 'unheard') this.#lose(now + times.ttlMs + times.graceMs)
  }

  /** Goes on without the engine. */
  #lose(growAtMs: number): void {
    const { onEngineLoss, taker } = this.#deps
    const isShared = onEngineLoss === 'share'
    const allowance = this.#allowance
    const granted = isShared ? Math.min(this.#granted, allowance) : allowance
    this.#set({ kind: 'lost', growAtMs: isShared ? growAtMs : Number.POSITIVE_INFINITY }, granted)
    if (taker.use.taken > granted) taker.cut()
    taker.refresh()
  }

  get #allowance(): number {
    const { onEngineLoss, account, instances } = this.#deps
    return lossAllowance(onEngineLoss, account.cap, instances())
  }

  #become(state: QuotaState, granted: number): void {
    const { taker, now } = this.#deps
    const wasCurrent = this.isCurrent(now())
    const before = this.#granted
    this.#set(state, granted)
    if (granted === before && wasCurrent) return
    const { idle } = taker.use
    taker.refresh()
    // What lay idle beyond what is granted now closes; what is leased does when it comes back.
    if (granted < before) this.#closes(idle - taker.use.idle)
  }

  #closes(count: number): void {
    if (count <= 0) return
    this.#soon += count
    this.#soonUntilMs = this.#deps.now() + LIMITS.fleetPromiseMs
  }

  #set(state: QuotaState, granted: number): void {
    this.#state = state
    this.#granted = granted
  }
}
