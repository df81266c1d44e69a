/**
 * Runs every interleaving of a few threads at each atomic step of the shared control words, and fails where one
 * of them breaks a promise or where nobody can go on while work is left.
 *
 * The code under test is synchronous and knows nothing of this, so a thread is stopped by replay: its current
 * operation runs again from the start, gets the logged results of the steps it has taken, takes one more step for
 * real, and is thrown out at the one after. The plain bytes between two steps belong to the first of them: a replay
 * sees the bytes as they were at each logged step, and only what follows the real step is kept. Whoever touches
 * plain bytes right after a publishing step puts a `pause` between, else both would count as one step.
 *
 * States are visited once. Two ways into one state are one, so the counted interleavings are far more than states.
 */
import type { Words } from '../../src/channel/words.ts'

/** A state is flat: its values, joined, tell it from others. */
export type Thread<State extends object = object> = {
  readonly name: string
  readonly start: State
  /** One operation: from the state before it to the state after it, or null where the thread is done. */
  operation(state: State, memory: ThreadMemory): State | null
}

export type Scene = {
  readonly words: readonly number[]
  readonly bytes: Uint8Array
  readonly threads: readonly Thread[]
  /** Looks at the words once all threads are done; throws where something is wrong with them. */
  readonly atEnd?: (words: readonly number[]) => void
}

export type Exploration = { readonly states: number; readonly steps: number; readonly interleavings: bigint }

export class FaultFound extends Error {
  readonly kind: 'violation' | 'deadlock'

  constructor(kind: 'violation' | 'deadlock', message: string, path: readonly string[]) {
    super(`${kind}: ${message}, after ${path.join(' ')}`)
    this.name = 'FaultFound'
    this.kind = kind
  }
}

type Logged = { readonly result: number; readonly bytes: Uint8Array }
type Standing = 'runs' | 'woken' | 'done' | { readonly waitsOn: number }

/** `log`: the steps that the current operation has taken. */
type ThreadState = { readonly state: object; readonly log: readonly Logged[]; readonly standing: Standing }
type World = {
  readonly words: readonly number[]
  readonly bytes: Uint8Array
  readonly threads: readonly ThreadState[]
}

/** Thrown into the code under test to stop it; nothing but this module may catch it. */
const SUSPEND = { stops: 'before the next step' }
const BLOCKED = { stops: 'no step is possible' }

/** What a thread sees of the shared memory, one step at a time. */
export class ThreadMemory implements Words {
  /** The plain bytes; a copy of this replay's own. */
  readonly bytes: Uint8Array
  readonly #words: number[]
  readonly #logged: readonly Logged[]
  readonly #shared: Uint8Array
  readonly #woken: boolean
  readonly #notified: Set<number>
  #index = 0
  #answers: ReadonlyMap<number, number> | null = null
  taken: Logged | null = null
  waitsOn: number | null = null

  constructor(words: number[], shared: Uint8Array, thread: ThreadState, notified: Set<number>) {
    this.#words = words
    this.#shared = shared
    this.bytes = Uint8Array.from(thread.log[0]?.bytes ?? shared)
    this.#logged = thread.log
    this.#woken = thread.standing === 'woken'
    this.#notified = notified
  }

  load(word: number): number {
    const known = this.#answers?.get(word)
    if (known !== undefined) return known
    return this.#step(() => this.peek(word))
  }

  glance(word: number): number {
    return this.load(word)
  }

  store(word: number, value: number): void {
    this.#step(() => this.#put(word, value))
  }

  exchange(word: number, value: number): number {
    return this.#step(() => this.#put(word, value))
  }

  or(word: number, bits: number): number {
    return this.#step(() => this.#put(word, this.peek(word) | bits))
  }

  compareExchange(word: number, expected: number, value: number): number {
    return this.#step(() => (this.peek(word) === expected ? this.#put(word, value) : this.peek(word)))
  }

  notify(word: number): void {
    this.#step(() => {
      this.#notified.add(word)
      return 0
    })
  }

  /** Blocks while the word holds the value, until it is notified. There is no time-out and no chance wake-up. */
  wait(word: number, value: number): void {
    this.#step(() => {
      if (!this.#woken && this.peek(word) === value) this.waitsOn = word
      return 0
    })
  }

  /** An explored thread has no event loop. */
  waitAsync(word: number): never {
    throw new Error(`word ${word} is waited for in an event loop, and there is none`)
  }

  /** Blocks until the word is not 0, and makes it 0: a doorbell in one step. */
  awaitBell(word: number): void {
    this.#step(() => {
      if (this.peek(word) === 0) throw BLOCKED
      return this.#put(word, 0)
    })
  }

  /** A step that does nothing, to let others in. */
  pause(): void {
    this.#step(() => 0)
  }

  /** The value of a word that this thread alone writes: no step. */
  peek(word: number): number {
    return this.#words[word] ?? 0
  }

  /** Runs a constructor whose loads are of words that this thread alone writes, and whose values it knows. */
  knowing<T>(answers: ReadonlyMap<number, number>, construct: () => T): T {
    this.#answers = answers
    const made = construct()
    this.#answers = null
    return made
  }

  #put(word: number, value: number): number {
    const before = this.peek(word)
    this.#words[word] = value | 0
    return before
  }

  #step(perform: () => number): number {
    const logged = this.#logged[this.#index]
    if (logged) {
      this.#index++
      this.bytes.set(logged.bytes)
      return logged.result
    }
    if (this.taken || this.waitsOn !== null) throw SUSPEND
    const result = perform()
    if (this.waitsOn !== null) throw SUSPEND
    this.bytes.set(this.#shared)
    this.taken = { result, bytes: this.#shared }
    return result
  }
}

/** Explores the scene from its start. Throws FaultFound with the steps that lead to the first fault. */
export function explore(scene: Scene): Exploration {
  return new Explorer(scene).run()
}

class Explorer {
  readonly #scene: Scene
  /** How many ways lead from a state to an end; 0 while its successors are looked at. */
  readonly #ways = new Map<string, bigint>()
  readonly #path: string[] = []
  #steps = 0

  constructor(scene: Scene) {
    this.#scene = scene
  }

  run(): Exploration {
    const threads = this.#scene.threads.map(
      ({ start }) => ({ state: start, log: [], standing: 'runs' }) as const,
    )
    const interleavings = this.#visit({ words: this.#scene.words, bytes: this.#scene.bytes, threads })
    return { states: this.#ways.size, steps: this.#steps, interleavings }
  }

  #visit(world: World): bigint {
    const key = keyOf(world)
    const known = this.#ways.get(key)
    if (known === 0n) throw new FaultFound('violation', 'the threads run in a circle', this.#path)
    if (known !== undefined) return known
    this.#ways.set(key, 0n)
    let ways = 0n
    for (const index of world.threads.keys()) {
      this.#path.push(this.#scene.threads[index]?.name ?? '')
      const next = this.#advance(world, index)
      if (next) ways += this.#visit(next)
      this.#path.pop()
    }
    if (ways === 0n) {
      const left = world.threads.flatMap(({ standing }, index) =>
        standing === 'done' ? [] : [this.#scene.threads[index]?.name],
      )
      if (left.length > 0) throw new FaultFound('deadlock', `${left.join(' and ')} wait for ever`, this.#path)
      this.#checkEnd(world)
      ways = 1n
    }
    this.#ways.set(key, ways)
    return ways
  }

  #checkEnd({ words }: World): void {
    try {
      this.#scene.atEnd?.(words)
    } catch (error) {
      throw new FaultFound('violation', String(error), this.#path)
    }
  }

  /** Takes one step of one thread; null where it has none. */
  #advance(world: World, index: number): World | null {
    const thread = world.threads[index]
    const code = this.#scene.threads[index]
    if (!thread || !code || thread.standing === 'done' || typeof thread.standing === 'object') return null
    const words = [...world.words]
    const notified = new Set<number>()
    const memory = new ThreadMemory(words, world.bytes, thread, notified)
    let next: ThreadState
    try {
      const state = code.operation(thread.state, memory)
      next = { state: state ?? thread.state, log: [], standing: state ? 'runs' : 'done' }
    } catch (thrown) {
      if (thrown === BLOCKED) return null
      if (thrown !== SUSPEND) throw new FaultFound('violation', String(thrown), this.#path)
      next =
        memory.waitsOn !== null
          ? { ...thread, standing: { waitsOn: memory.waitsOn } }
          : { ...thread, log: memory.taken ? [...thread.log, memory.taken] : thread.log, standing: 'runs' }
    }
    this.#steps++
    const bytes = memory.waitsOn === null ? memory.bytes : world.bytes
    const threads = world.threads.map((other, at) => (at === index ? next : wokenBy(notified, other)))
    return { words, bytes, threads }
  }
}

function wokenBy(notified: ReadonlySet<number>, thread: ThreadState): ThreadState {
  const waits = typeof thread.standing === 'object' && notified.has(thread.standing.waitsOn)
  return waits ? { ...thread, standing: 'woken' } : thread
}

function keyOf({ words, bytes, threads }: World): string {
  const parts = threads.map(({ state, log, standing }) => {
    const steps = log.map(({ result, bytes }) => `${result}:${bytes}`).join(' ')
    const stands = typeof standing === 'object' ? standing.waitsOn : standing
    return `${Object.values(state).join()} ${steps} ${stands}`
  })
  return `${words.join()}|${bytes}|${parts.join('|')}`
}
