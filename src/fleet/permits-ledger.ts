/** The permits of capped targets as the engine has them. What it answers is input, and is checked. */
import type { EngineAsk } from './engine.ts'
import { CHANNEL } from './engine.ts'
import { GIVE_ALL, HELD, SETTLE } from './permits-script.ts'

/** What a pool says to the engine. All but `seq` are permits. */
export type PermitWord = {
  /** Grows with each word of one start. */
  readonly seq: number
  /** What is used, or may be used at any time without asking. */
  readonly claim: number
  /** What is given back once sockets are closed; of that, idle ones that close by now. */
  readonly pending: number
  readonly soon: number
  /** What could be given back beside: spare ones, and those of idle connections. */
  readonly offer: number
  /** What callers lack, and what the warm minimum does. */
  readonly lack: number
  readonly cold: number
}

/** What the engine answers. All but `settles` are permits. */
export type PermitAnswer = {
  /** What is this start's by the engine's word. */
  readonly held: number
  /** Of that, what it is to give back as soon as it can, for others. */
  readonly yield: number
  /** What others lack. */
  readonly wants: number
  /** The cap by the number of those who hold or want of it. */
  readonly share: number
  /** Whether the record was made a short while ago, and one chunk is the most to be had. */
  readonly settles: boolean
}

/** Who speaks, of which target. */
export type PermitAccount = {
  readonly target: string
  /** `<name>:<boot>:<number>`: a pool of one start. */
  readonly entry: string
  readonly cap: number
  readonly chunk: number
  readonly ttlMs: number
}

/** Where a pool's permits are kept. Errors: an Error where there is no answer in time, or none that can be. */
export interface PermitsLedger {
  settle(account: PermitAccount, word: PermitWord): Promise<PermitAnswer>
  giveAll(account: PermitAccount): Promise<void>
}

export class EngineLedger implements PermitsLedger {
  readonly #engine: EngineAsk

  constructor(engine: EngineAsk) {
    this.#engine = engine
  }

  async settle(account: PermitAccount, word: PermitWord): Promise<PermitAnswer> {
    const { target, entry, cap, chunk, ttlMs } = account
    const { seq, claim, pending, soon, offer, lack, cold } = word
    const numbers = [seq, ttlMs, cap, chunk, claim, pending, soon, offer, lack, cold]
    const answer = await this.#engine.ask(SETTLE, [keyOf(target)], [CHANNEL, target, entry, ...numbers])
    return answerOf(answer, word, cap)
  }

  async giveAll({ target, entry }: PermitAccount): Promise<void> {
    await this.#engine.ask(GIVE_ALL, [keyOf(target)], [CHANNEL, target, entry])
  }

  /** Permits of all instances, by their names. */
  async heldBy(target: string): Promise<Readonly<Record<string, number>>> {
    const answer = await this.#engine.ask(HELD, [keyOf(target)], [])
    if (!Array.isArray(answer)) throw new Error('the engine does not tell who holds what')
    const held = new Map<string, number>()
    for (let i = 0; i + 1 < answer.length; i += 2) {
      const [entry, count]: unknown[] = answer.slice(i, i + 2)
      if (typeof entry !== 'string' || !isCount(count))
        throw new Error('the engine tells what no permits are')
      const [name = ''] = entry.split(':')
      held.set(name, (held.get(name) ?? 0) + count)
    }
    return Object.fromEntries(held)
  }
}

function keyOf(target: string): string {
  return `permits:${target}`
}

function answerOf(answer: unknown, { claim }: PermitWord, cap: number): PermitAnswer {
  const isWhole = Array.isArray(answer) && answer.length === 5 && answer.every(isCount)
  const [held = -1, yielded = -1, wants = -1, share = -1, settles = -1]: number[] = isWhole ? answer : []
  // More than there is nobody can have been given.
  const most = Math.max(claim, cap)
  if (!isWhole || held > most || yielded > held || share > cap || settles > 1)
    throw new Error('the engine answers with what cannot be of permits')
  return { held, yield: yielded, wants, share, settles: settles === 1 }
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
