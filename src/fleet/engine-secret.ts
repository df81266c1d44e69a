/**
 * The secret of a fleet for which none was configured: the first start makes one, and the engine keeps it. An engine that
 * has lost it is given it again by whoever knows it.
 */
import { randomBytes } from 'node:crypto'
import { LIMITS } from '../base/limits.ts'
import type { EngineAsk } from './engine.ts'
import { type Script, scriptOf } from './script.ts'

/** sockpool:{fleet}:secret. Answers: what is kept, which may be what was brought. */
const KEEP: Script = scriptOf(
  'sockpoolSecret',
  1,
  `
redis.call('SET', KEYS[1], ARGV[1], 'NX')
return redis.call('GET', KEYS[1])`,
)

export class FleetSecret {
  /** Made here; ids are made with it until a shared one is known. */
  readonly #made: string = randomBytes(LIMITS.fleetSecretBytesMin).toString('base64url')
  readonly #isConfigured: boolean
  #shared: string | null
  /** Those that were shared before, the last one first. */
  #before: readonly string[] = []

  constructor(configured: string | undefined) {
    this.#isConfigured = configured !== undefined
    this.#shared = configured ?? null
  }

  /** What all instances know; null until it is known. */
  get shared(): string | null {
    return this.#shared
  }

  /** Those that ids of the fleet may have been made with, the present one first; none while that is not known. */
  get known(): readonly string[] {
    return this.#shared === null ? [] : [this.#shared, ...this.#before]
  }

  get own(): string {
    return this.#shared ?? this.#made
  }

  /** Learns it, or has the engine keep it; said again and again, as the engine may lose it. Errors: an Error where the engine does not answer, or with no secret. */
  async learn(engine: EngineAsk): Promise<void> {
    if (this.#isConfigured) return
    const kept = await engine.ask(KEEP, ['secret'], [this.own])
    if (typeof kept !== 'string' || kept.length < LIMITS.fleetSecretBytesMin)
      throw new Error('the engine keeps what can be no secret')
    if (kept === this.#shared) return
    this.#before = this.known.filter(secret => secret !== kept).slice(0, LIMITS.fleetSecretsBefore)
    this.#shared = kept
  }
}
