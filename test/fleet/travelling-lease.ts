/** A lease, each call on which goes through an instance of its own, and is made again where that is allowed. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Random } from '../support/fence-random.ts'
import { type Ask, type Caller, type Failure, failureOf, jsonIn, type Outcome } from './caller.ts'
import { TARGET } from './field.ts'
import type { Instance } from './instance.ts'

/** What came of a call in the end. `Done`: what it is about. */
export type Told<Done> =
  | { readonly kind: 'done'; readonly done: Done; readonly through: Instance; readonly tries: number }
  | { readonly kind: 'failed'; readonly failure: Failure; readonly through: Instance; readonly tries: number }

export type Road = {
  readonly caller: Caller
  /** Whom to ask next. */
  readonly pick: () => Instance
  readonly random: Random
  /** Milliseconds for which a call is made again. */
  readonly patienceMs: number
  /** Hears of each failure that was answered by another try. */
  readonly retried: (failure: Failure) => void
}

/** Milliseconds between two tries, at the most. */
const PAUSE_MS = 250

/** Makes a call through one instance after another, until it is done, may not be made again, or patience has ended. */
export async function travel(road: Road, ask: Ask, isOnce = false): Promise<Told<Outcome>> {
  const untilMs = performance.now() + road.patienceMs
  for (let tries = 1; ; tries++) {
    const through = road.pick()
    const done = await road.caller.ask(through, ask)
    const failure = failureOf(done)
    if (failure === null) return { kind: 'done', done, through, tries }
    const mayRepeat = isOnce ? failure.isUnheard : failure.isRetryable
    if (!mayRepeat || performance.now() > untilMs) return { kind: 'failed', failure, through, tries }
    road.retried(failure)
    await sleep(road.random.next() * PAUSE_MS)
  }
}

export type LeaseOptions = { readonly ttlMs: number; readonly waitMs: number }

export class TravellingLease {
  readonly id: string
  /** The instance that it was acquired at. */
  readonly owner: Instance
  readonly #road: Road
  #readOffset = 0
  #writeOffset = 0

  private constructor(id: string, owner: Instance, road: Road) {
    this.id = id
    this.owner = owner
    this.#road = road
  }

  static async acquire(road: Road, { ttlMs, waitMs }: LeaseOptions): Promise<Told<TravellingLease>> {
    const json = { target: TARGET, ttlMs, waitMs, replay: true }
    const told = await travel(road, { method: 'POST', path: '/v1/leases', json })
    if (told.kind === 'failed') return told
    const { id } = jsonIn<{ id: string }>(told.done)
    return { ...told, done: new TravellingLease(id, told.through, road) }
  }

  get path(): string {
    return `/v1/leases/${this.id}`
  }

  get offsets(): { readonly read: number; readonly write: number } {
    return { read: this.#readOffset, write: this.#writeOffset }
  }

  async write(text: string): Promise<Told<Outcome>> {
    const told = await this.#call('POST', `write?offset=${this.#writeOffset}`, { body: text })
    if (told.kind === 'done') this.#writeOffset += Buffer.byteLength(text)
    return told
  }

  /** `operation`: with its query, and without the offset. The bytes, as text. */
  async read(operation: string): Promise<Told<string>> {
    const mark = operation.includes('?') ? '&' : '?'
    const told = await this.#call('POST', `${operation}${mark}offset=${this.#readOffset}`)
    if (told.kind === 'failed') return told
    const { data, offset } = jsonIn<{ data: string; offset: number }>(told.done)
    if (offset !== this.#readOffset) return { ...told, done: `at ${offset}: ${data}` }
    this.#readOffset += Buffer.byteLength(data)
    return { ...told, done: data }
  }

  /** Reads one message in a format. `bytes`: how long it is, which no answer says. */
  async parse(format: string, bytes: number): Promise<Told<unknown>> {
    const json = { format, offset: this.#readOffset }
    const told = await this.#call('POST', 'parse', { json })
    if (told.kind === 'failed') return told
    this.#readOffset += bytes
    return { ...told, done: jsonIn<{ value: unknown }>(told.done).value }
  }

  renew(ttlMs: number): Promise<Told<Outcome>> {
    return this.#call('PATCH', '', { json: { ttlMs } })
  }

  look(): Promise<Told<Outcome>> {
    return this.#call('GET', '')
  }

  /** A repeat of what was heard already says so, and counts as done. `discards`: the connection is not used again. */
  async release(discards = false): Promise<Told<string>> {
    const told = await this.#call('DELETE', discards ? '?discard=true' : '')
    if (told.kind === 'done') return { ...told, done: jsonIn<{ reason: string }>(told.done).reason }
    const { failure, tries, through } = told
    const wasHeard = tries > 1 && failure.code === 'lease_gone: released'
    return wasHeard ? { kind: 'done', done: 'clean', through, tries } : told
  }

  /** The bytes that went both ways beside its calls. */
  passed(read: number, write: number): void {
    this.#readOffset += read
    this.#writeOffset += write
  }

  #call(method: Ask['method'], operation: string, more: Partial<Ask> = {}): Promise<Told<Outcome>> {
    const isPlain = operation === '' || operation.startsWith('?')
    const path = isPlain ? `${this.path}${operation}` : `${this.path}/${operation}`
    return travel(this.#road, { method, path, ...more })
  }
}
