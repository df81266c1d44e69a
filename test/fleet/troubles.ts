/** What happens to a fleet under load: its instances end, start and stand still, and so does its engine. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Findings } from '../soak/findings.ts'
import type { Random } from '../support/fence-random.ts'
import type { CapLaw } from './cap-law.ts'
import type { Field } from './field.ts'
import type { Instance } from './instance.ts'

export const TROUBLES = [
  'freeze-long',
  'engine-freeze',
  'kill',
  'engine-restart',
  'freeze-short',
  'stop',
] as const

export type Trouble = (typeof TROUBLES)[number]

/** Milliseconds: shorter than a word holds, and longer. */
const FREEZE_SHORT_MS = 7_000
const FREEZE_LONG_MS = 20_000
const ENGINE_FREEZE_MS = 10_000
/** Milliseconds that something is down for, at the most. */
const DOWN_MS = 2_000

export type TroublesDeps = {
  readonly field: Field
  readonly law: CapLaw
  readonly random: Random
  readonly findings: Findings
  readonly watched: (what: string) => void
}

export class Troubles {
  readonly #deps: TroublesDeps
  readonly #troubled = new Set<Instance>()
  #isEngineTroubled = false

  constructor(deps: TroublesDeps) {
    this.#deps = deps
  }

  /** Whether this very trouble can begin now: one at a time for the engine and for each instance, and not for all of them. */
  mayBegin(trouble: Trouble): boolean {
    if (trouble.startsWith('engine')) return !this.#isEngineTroubled
    return this.#troubled.size < this.#deps.field.instances.length - 1
  }

  /** Resolves when it is over. */
  async happen(trouble: Trouble): Promise<void> {
    this.#deps.findings.count(`troubles: ${trouble}`)
    switch (trouble) {
      case 'kill':
        return await this.#one(trouble, instance => this.#restart(instance, () => instance.kill()))
      case 'stop':
        return await this.#one(trouble, instance => this.#restart(instance, () => this.#stop(instance)))
      case 'freeze-short':
        return await this.#one(trouble, instance => this.#freeze(instance, FREEZE_SHORT_MS))
      case 'freeze-long':
        return await this.#one(trouble, instance => this.#freeze(instance, FREEZE_LONG_MS))
      case 'engine-restart':
        return await this.#engine(trouble, () => this.#restartEngine())
      case 'engine-freeze':
        return await this.#engine(trouble, () => this.#freezeEngine())
      default:
        trouble satisfies never
    }
  }

  async #one(trouble: Trouble, act: (instance: Instance) => Promise<void>): Promise<void> {
    const { field, random, watched } = this.#deps
    const sound = field.instances.filter(instance => !this.#troubled.has(instance))
    const instance = sound[random.below(sound.length)]
    if (instance === undefined) throw new Error('every instance is in trouble')
    this.#troubled.add(instance)
    watched(`${trouble} of ${instance.name}`)
    await act(instance)
    watched(`${trouble} of ${instance.name} is over`)
    this.#troubled.delete(instance)
  }

  async #restart(instance: Instance, end: () => Promise<void>): Promise<void> {
    await end()
    await sleep(this.#deps.random.next() * DOWN_MS)
    await instance.start()
  }

  async #stop(instance: Instance): Promise<void> {
    const code = await instance.stop()
    if (code !== 0) this.#deps.findings.violate(`${instance.name} ended with ${code}: ${instance.log}`)
  }

  async #freeze(instance: Instance, forMs: number): Promise<void> {
    const over = this.#deps.law.freeze(instance.index)
    instance.freeze()
    await sleep(forMs)
    instance.thaw()
    over()
  }

  async #engine(trouble: Trouble, act: () => Promise<void>): Promise<void> {
    const { law, watched } = this.#deps
    this.#isEngineTroubled = true
    watched(trouble)
    const over = law.loseEngine()
    await act()
    over()
    watched(`${trouble} is over`)
    this.#isEngineTroubled = false
  }

  async #restartEngine(): Promise<void> {
    const { field, law, random } = this.#deps
    await field.engine.stop('SIGTERM')
    await sleep(random.next() * DOWN_MS)
    law.emptied()
    await field.engine.start()
  }

  async #freezeEngine(): Promise<void> {
    const { engine } = this.#deps.field
    engine.signal('SIGSTOP')
    await sleep(ENGINE_FREEZE_MS)
    engine.signal('SIGCONT')
  }
}
