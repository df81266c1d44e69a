/**
 * A lease is good at every instance: acquired at one, and each call on it made through another by chance. No byte is wrong, and nothing
 * fails that nobody can explain.
 */
import { Findings, type PlayReport } from '../soak/findings.ts'
import { Random } from '../support/fence-random.ts'
import { openStream, type StreamClient } from '../support/stream-client.ts'
import { Caller, failureOf, jsonIn } from './caller.ts'
import { type Field, TARGET } from './field.ts'
import type { Instance } from './instance.ts'
import { type Road, type Told, TravellingLease, travel } from './travelling-lease.ts'

export type AnywhereScale = {
  readonly seed: number
  readonly leases: number
  readonly workers: number
}

/** Long enough that none expires on a machine that is busy. */
const TTL_MS = 60_000
const WAIT_MS = 10_000
const PATIENCE_MS = 30_000
/** Shares of the leases that take each further step; that are also a stream, are asked for where they are, and after their end. */
const STEP_SHARE = 0.5
const STREAM_SHARE = 0.1
const REDIRECT_SHARE = 0.1
const AFTER_SHARE = 0.1

export async function anywhere(
  field: Field,
  scale: AnywhereScale,
  watched: (done: number, total: number) => void = () => {},
): Promise<PlayReport> {
  const findings = new Findings()
  findings.set('seed', scale.seed)
  const caller = new Caller(field.token)
  const startedMs = performance.now()
  let begun = 0
  const work = async (number: number): Promise<void> => {
    const traveller = new Traveller(field, caller, findings, Random.of(scale.seed, number))
    while (begun < scale.leases && !findings.hasViolations) {
      watched(begun, scale.leases)
      await traveller.lease(begun++)
    }
  }
  try {
    await Promise.all(Array.from({ length: scale.workers }, (_, number) => work(number)))
  } finally {
    caller.close()
  }
  findings.set('leases', begun)
  findings.set('seconds', (performance.now() - startedMs) / 1_000)
  return findings.report('anywhere')
}

class Traveller {
  readonly #field: Field
  readonly #caller: Caller
  readonly #findings: Findings
  readonly #random: Random
  readonly #road: Road

  constructor(field: Field, caller: Caller, findings: Findings, random: Random) {
    this.#field = field
    this.#caller = caller
    this.#findings = findings
    this.#random = random
    this.#road = {
      ...{ caller, random, patienceMs: PATIENCE_MS, pick: () => this.#pick() },
      retried: ({ code }) => findings.count(`tried again: ${code}`),
    }
  }

  async lease(number: number): Promise<void> {
    const random = this.#random
    const told = await TravellingLease.acquire(this.#road, { ttlMs: TTL_MS, waitMs: WAIT_MS })
    const lease = this.#done('acquire', told)
    if (lease === null) return
    const some = (share: number, step: () => Promise<void>): (() => Promise<void>)[] =>
      random.chance(share) ? [step] : []
    const steps = [
      () => this.#line(lease, number),
      ...some(STEP_SHARE, () => this.#value(lease, number)),
      ...some(STEP_SHARE, () => this.#pieces(lease, number)),
      ...some(STEP_SHARE, () => this.#renewed(lease)),
      ...some(REDIRECT_SHARE, () => this.#redirected(lease)),
    ]
    for (const step of steps)
      if (this.#findings.hasViolations) return
      else await step()
    const stream = random.chance(STREAM_SHARE) ? await this.#stream(lease, number) : null
    const reason = this.#done('release', await lease.release())
    if (reason !== null) this.#same('reason of the release', 'clean', reason)
    if (stream !== null) await this.#ended(stream)
    if (random.chance(AFTER_SHARE)) await this.#gone(lease)
    // Not before: who holds a connection and waits for another may wait for those who do the same.
    if (random.chance(STEP_SHARE)) await this.#exchange(number)
  }

  async #line(lease: TravellingLease, number: number): Promise<void> {
    const line = `line ${number} ${'x'.repeat(number % 97)}\n`
    this.#done('write', await lease.write(line))
    this.#same('line', line, this.#done('readline', await lease.read('readline')))
  }

  async #value(lease: TravellingLease, number: number): Promise<void> {
    const value = { number, text: 'ü'.repeat(number % 13) }
    const line = `${JSON.stringify(value)}\n`
    this.#done('write', await lease.write(line))
    const told = await lease.parse('ndjson', Buffer.byteLength(line))
    this.#same('value', JSON.stringify(value), JSON.stringify(this.#done('parse', told)))
  }

  async #pieces(lease: TravellingLease, number: number): Promise<void> {
    const text = `pieces of ${number};tail`
    this.#done('write', await lease.write(text))
    const until = this.#done('readuntil', await lease.read('readuntil?separator=%3B'))
    this.#same('bytes up to the separator', `pieces of ${number};`, until)
    this.#same('bytes of a count', 'tail', this.#done('readexactly', await lease.read('readexactly?n=4')))
  }

  async #renewed(lease: TravellingLease): Promise<void> {
    this.#done('renew', await lease.renew(TTL_MS))
    const seen = this.#done('look', await lease.look())
    if (seen === null) return
    const { id, readOffset, writeOffset } = jsonIn<Readonly<Record<string, unknown>>>(seen)
    const { read, write } = lease.offsets
    this.#same('place of the lease', `${lease.id} ${read} ${write}`, `${id} ${readOffset} ${writeOffset}`)
  }

  async #exchange(number: number): Promise<void> {
    const line = `exchange ${number}\n`
    const json = { target: TARGET, write: { text: line }, read: 'line' }
    const told = this.#done(
      'exchange',
      await travel(this.#road, { method: 'POST', path: '/v1/exchange', json }, true),
    )
    if (told !== null) this.#same('answer', line, jsonIn<{ data: string }>(told).data)
  }

  /** Echoes by a stream. Half of them are closed then; what is given back is to end by the release. */
  async #stream(lease: TravellingLease, number: number): Promise<StreamClient | null> {
    const url = `http://127.0.0.1:${this.#pick().port}`
    const headers = { authorization: this.#caller.authorization }
    const stream = await openStream(url, `${lease.id}/stream`, { headers }).catch((error: unknown) => {
      this.#findings.violate(`stream: ${String(error)}`)
      return null
    })
    if (stream === null) return null
    const text = `stream ${number} ${'y'.repeat(1_000 + (number % 97))}`
    stream.send(Buffer.from(text))
    this.#same('bytes of the stream', text, String(await stream.bytes(text.length)))
    lease.passed(text.length, text.length)
    this.#findings.count('streams')
    if (this.#random.chance(0.5)) return stream
    stream.socket.close(1000)
    await stream.ended()
    return null
  }

  async #ended(stream: StreamClient): Promise<void> {
    const { code, reason } = await stream.ended()
    this.#same('end of the stream', '1000 released', `${code} ${reason}`)
  }

  /** Who asks to be sent on is, where the lease is another's; its owner answers. */
  async #redirected(lease: TravellingLease): Promise<void> {
    const through = this.#pick()
    const headers = { 'sockpool-redirect': '1' }
    const answer = await this.#caller.ask(through, { method: 'GET', path: lease.path, headers })
    if (answer.kind === 'cut') return this.#findings.violate(`redirect: ${answer.code}`)
    const place = `http://127.0.0.1:${lease.owner.port}${lease.path}`
    if (through === lease.owner) this.#same('status at the owner', '200', String(answer.status))
    else {
      const { status, headers: fields } = answer
      this.#same('way to the owner', `307 ${place}`, `${status} ${fields.location}`)
    }
    const there = await this.#caller.ask(lease.owner, { method: 'GET', path: lease.path, headers })
    const failure = failureOf(there)
    if (failure !== null) this.#findings.violate(`redirect: the owner says ${failure.detail}`)
    this.#findings.count('redirects')
  }

  async #gone(lease: TravellingLease): Promise<void> {
    const answer = await this.#caller.ask(this.#pick(), { method: 'GET', path: lease.path })
    this.#same('end of the lease', 'lease_gone: released', failureOf(answer)?.code ?? 'none')
  }

  #pick(): Instance {
    const { instances } = this.#field
    const instance = instances[this.#random.below(instances.length)]
    if (instance === undefined) throw new Error('there is no instance')
    return instance
  }

  /** Null where it has failed, which nothing here explains: nobody ends, and there is room for all. */
  #done<Done>(what: string, told: Told<Done>): Done | null {
    if (told.kind === 'done') {
      this.#findings.count(`calls: ${what}`)
      return told.done
    }
    this.#findings.violate(`${what} through ${told.through.name}: ${told.failure.detail}`)
    return null
  }

  #same(what: string, expected: string, got: string | null): void {
    if (got !== null && got !== expected)
      this.#findings.violate(`${what}: ${JSON.stringify(got)} instead of ${JSON.stringify(expected)}`)
  }
}
