/**
 * Callers of a fleet in trouble, more than the cap serves at once: exchanges and held leases, each call through an instance by chance.
 * Whatever they read is their own; whatever fails is counted by its code, and must be a thing that the troubles can do.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Findings } from '../soak/findings.ts'
import { Random } from '../support/fence-random.ts'
import { type Caller, type Failure, jsonIn } from './caller.ts'
import { type Field, TARGET } from './field.ts'
import type { Instance } from './instance.ts'
import { type Road, type Told, TravellingLease, travel } from './travelling-lease.ts'

export type CrowdScale = {
  /** Callers that hold leases, and callers that exchange. */
  readonly holders: number
  readonly exchangers: number
  /** Milliseconds between two calls of one of them, at the most. */
  readonly pauseMs: number
}

/** Milliseconds of a lease that nobody calls for any more. */
const TTL_MS = 10_000
const WAIT_MS = 4_000
/** Milliseconds that one call may take, and for which it is made again. */
const CALL_MS = 8_000
const PATIENCE_MS = 6_000
const CALLS_MAX = 4
/** Share of calls to whichever instance there is; the others go to one that serves, as a balancer's would. */
const BLIND_SHARE = 0.03

/** What an instance's end, or its standing still, or the engine's, can do to a call that may not be made again. */
const EXPLAINED: ReadonlySet<string> = new Set([
  ...['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'timeout', 'half', 'socket hang up'],
  ...['instance_unreachable', 'wait_timeout', 'pool_exhausted', 'queue_full', 'draining', 'not_ready'],
  ...['connection_reset', 'incomplete_read', 'read_timeout', 'connect_timeout', 'drain_timeout'],
  ...['lease_gone: instance_lost', 'lease_gone: expired', 'lease_gone: killed', 'lease_gone: reset'],
])

export class Crowd {
  readonly #field: Field
  readonly #caller: Caller
  readonly #findings: Findings
  readonly #scale: CrowdScale
  readonly #seed: number
  #isOver = false
  #names = 0
  readonly #told = new Set<string>()

  constructor(field: Field, caller: Caller, findings: Findings, scale: CrowdScale, seed: number) {
    this.#field = field
    this.#caller = caller
    this.#findings = findings
    this.#scale = scale
    this.#seed = seed
  }

  /** Resolves when all have left. */
  async run(): Promise<void> {
    const { holders, exchangers } = this.#scale
    const one = (number: number): Promise<void> => {
      const random = Random.of(this.#seed, number)
      return number < holders ? this.#hold(random) : this.#exchange(random)
    }
    await Promise.all(Array.from({ length: holders + exchangers }, (_, number) => one(number)))
  }

  /** Nobody begins anything more. */
  end(): void {
    this.#isOver = true
  }

  async #hold(random: Random): Promise<void> {
    const road = this.#road('leases', random)
    while (!this.#isOver) {
      await sleep(random.next() * this.#scale.pauseMs)
      const told = await TravellingLease.acquire(road, { ttlMs: TTL_MS, waitMs: WAIT_MS })
      if (told.kind === 'failed') {
        this.#failed('leases: not acquired', told.failure)
        continue
      }
      await this.#use(told.done, random)
    }
  }

  async #use(lease: TravellingLease, random: Random): Promise<void> {
    for (let left = 1 + random.below(CALLS_MAX); left > 0; left--) {
      if (!(await this.#roundTrip(lease))) {
        // What it still holds is to be had by others.
        await lease.release(true)
        return
      }
      await sleep(random.next() * this.#scale.pauseMs)
    }
    const told = await lease.release()
    if (this.#isDone('leases: not released', told)) this.#findings.count('leases: served')
  }

  async #roundTrip(lease: TravellingLease): Promise<boolean> {
    const line = this.#line('lease')
    if (!this.#isDone('leases: not written', await lease.write(line))) return false
    const told = await lease.read('readline?timeoutMs=4000')
    if (!this.#isDone('leases: not read', told)) return false
    if (told.kind === 'done') this.#check(line, told.done)
    return true
  }

  async #exchange(random: Random): Promise<void> {
    const road = this.#road('exchanges', random)
    while (!this.#isOver) {
      await sleep(random.next() * this.#scale.pauseMs)
      const line = this.#line('exchange')
      const json = { target: TARGET, write: { text: line }, read: 'line', timeoutMs: 5_000 }
      const told = await travel(
        road,
        { method: 'POST', path: '/v1/exchange', json, patienceMs: CALL_MS },
        true,
      )
      if (!this.#isDone('exchanges: failed', told)) continue
      this.#findings.count('exchanges: served')
      if (told.kind === 'done') this.#check(line, jsonIn<{ data: string }>(told.done).data)
    }
  }

  #road(who: string, random: Random): Road {
    return {
      caller: this.#caller,
      random,
      patienceMs: PATIENCE_MS,
      pick: () => this.#pick(random),
      retried: ({ code }) => this.#findings.count(`${who}: tried again: ${code}`),
    }
  }

  #pick(random: Random): Instance {
    const { instances } = this.#field
    const serving = instances.filter(({ state }) => state === 'serving')
    const some = random.chance(BLIND_SHARE) || serving.length === 0 ? instances : serving
    const instance = some[random.below(some.length)]
    if (instance === undefined) throw new Error('there is no instance')
    return instance
  }

  #isDone(what: string, told: Told<unknown>): boolean {
    if (told.kind === 'done') return true
    this.#failed(what, told.failure)
    return false
  }

  #failed(what: string, { code, detail }: Failure): void {
    const name = `${what}: ${code}`
    this.#findings.count(name)
    // Each is counted, and told in words once.
    if (EXPLAINED.has(code) || this.#told.has(name)) return
    this.#told.add(name)
    this.#findings.violate(`${what}: ${detail}`)
  }

  #check(line: string, got: string): void {
    if (got !== line) this.#findings.violate(`wrote ${JSON.stringify(line)}, read ${JSON.stringify(got)}`)
  }

  #line(kind: string): string {
    return `${kind} ${this.#names++} ${'x'.repeat(this.#names % 97)}\n`
  }
}
