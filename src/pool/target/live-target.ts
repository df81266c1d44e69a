/** A target as the configuration says it now, and its dials: a reload replaces both in one step, whoever reads them next. */
import { isDeepStrictEqual } from 'node:util'
import type { PoolSettings, Target } from '../../config/target.ts'
import type { Dial, Place } from '../../threads/protocol.ts'
import { keyOf } from './dial-of.ts'
import { Dials, type DialsDeps } from './dials.ts'
import type { TargetPoolDeps } from './target-pool-deps.ts'

export type LiveTargetDeps = Pick<
  TargetPoolDeps,
  'name' | 'target' | 'dial' | 'origin' | 'connector' | 'now' | 'random' | 'tally'
> &
  Pick<DialsDeps, 'leased' | 'onDue' | 'tidings'>

export class LiveTarget {
  /** Its pool's bounds, in a copy of its own: an operator may change them. */
  readonly settings: { -readonly [Name in keyof PoolSettings]: PoolSettings[Name] }
  readonly #deps: LiveTargetDeps
  #target: Target
  #dial: Dial
  #dials: Dials

  constructor(deps: LiveTargetDeps) {
    this.#deps = deps
    this.settings = { ...deps.target.pool }
    this.#target = { ...deps.target, pool: this.settings }
    this.#dial = deps.dial
    this.#dials = this.#begin()
  }

  get target(): Target {
    return this.#target
  }

  /** Whether messages are counted on its connections. */
  get isCounted(): boolean {
    return this.#dial.isCounted === true
  }

  /** Whether something is said on its connections when they come back. */
  get hasReleaseDialog(): boolean {
    return this.#dial.onRelease.length > 0
  }

  /** Whose names are looked up again: not those that a caller described, which live as long as it asks. */
  get watchedPlaces(): readonly Place[] {
    return this.#deps.origin === 'named' ? this.#dial.places : []
  }

  /** What a caller described waits for no chance. */
  get random(): () => number {
    return this.#deps.origin === 'named' ? this.#deps.random : () => 0
  }

  get tenant(): string {
    return this.#dial.tenant
  }

  /** Those of a target that has changed since go on as they began, and say nothing of the one that it is now. */
  get dials(): Dials {
    return this.#dials
  }

  /** All but the pool's bounds, which are the caller's to change. Whether connections of before may still serve. */
  replace(target: Target, dial: Dial): 'same connections' | 'other connections' {
    const before = this.#target
    const isSame = keyOf(dial) === keyOf(this.#dial) && target.reuse === before.reuse
    const isDialledSame = isDeepStrictEqual(
      [target.balance, target.breaker],
      [before.balance, before.breaker],
    )
    this.#target = { ...target, pool: this.settings }
    this.#dial = dial
    if (!isSame || !isDialledSame) {
      this.#dials.stop()
      this.#dials = this.#begin()
    }
    return isSame ? 'same connections' : 'other connections'
  }

  #begin(): Dials {
    return new Dials({ ...this.#deps, target: this.#target, dial: this.#dial, random: this.random })
  }
}
