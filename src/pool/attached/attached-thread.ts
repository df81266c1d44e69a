/**
 * One attached thread, on the pool's own: answers what it asks, keeps what it holds, and takes everything back when it
 * is gone. It has no say of its own; leases come from the pool like everybody's.
 */
import { CallBounds } from '../../base/call-bounds.ts'
import { type GoneReason, invariant, SockpoolError } from '../../base/errors.ts'
import { Ringer } from '../../channel/doorbell.ts'
import { goneError } from '../../streams/channel-ends/channel-end.ts'
import type { LentSource } from '../../streams/channel-ends/lent-source.ts'
import type { ThreadLine, ThreadServer } from '../../threads/attach-listener.ts'
import type {
  FromThread,
  GrantData,
  LoanData,
  OutcomeData,
  ReleaseMessage,
  RenewMessage,
  RequestData,
  RequestMessage,
  SharedReplyData,
} from '../../threads/attach-protocol.ts'
import { parentOf, runWithin } from '../../tracing/caller-trace.ts'
import { isTraced } from '../../tracing/pool-span.ts'
import type { ExchangeReply } from '../lease/exchange.ts'
import type { JudgedExchange } from '../lease/exchange-request.ts'
import { outcomeOf as nameOf } from '../lease/lease-flight.ts'
import type { LeaseHolder, LoanWork } from '../lease/lease-keeper.ts'
import type { LeaseRecord } from '../lease/lease-record.ts'
import { LeaseRequest } from '../lease/lease-request.ts'
import type { ParseCall, ParsePort } from '../lease/parse-port.ts'
import type { ControlOrder } from '../target/control-order.ts'
import type { KillResult } from '../target/operated-pool.ts'
import type { Refusal, ReleaseResult } from '../target/release-result.ts'
import type { ControlResult } from '../target/target-control.ts'
import type { AdHocTarget } from '../target/target-pools.ts'
import type { TargetTally } from '../target/target-tally.ts'
import { AttachedHolder } from './attached-holder.ts'
import { countedExchange } from './exchange-count.ts'

/** A lease, and its ends as its record sees them. */
export type Acquired<Holder> = { readonly record: LeaseRecord; readonly holder: Holder }

/**
 * `call`: of the one operation that it is for, in the flight recorder; -1 where it is for no certain one. `ended` counts that
 * operation, where it is counted.
 */
type HeldByThread = Acquired<AttachedHolder> & {
  readonly call: number
  readonly ended: ((outcome: string) => void) | null
}

/** The pool, as its attached threads use it. */
export interface AttachHost {
  /** As Pool.lease, for ends on the thread of that number. */
  acquire<Holder extends LeaseHolder>(
    target: string | AdHocTarget,
    request: LeaseRequest,
    thread: number,
    make: (record: LeaseRecord) => Holder,
  ): Promise<Acquired<Holder>>
  /** The target that a request means, and how many connections it may have. Errors: as Pool.lease. */
  limitOf(target: string | AdHocTarget, tenant: string): { readonly name: string; readonly max: number }
  /** The reply of an exchange on a shared connection; null where the target shares none. Errors: as Pool.exchange. */
  exchange(target: string, exchange: JudgedExchange): Promise<ExchangeReply | null>
  /** Where calls for a target are counted; null where nobody counts, and for a name of none. */
  tallyOf(target: string | AdHocTarget): TargetTally | null
  order(target: string, order: ControlOrder, bounds: CallBounds): Promise<ControlResult>
  kill(id: string): Promise<KillResult>
  readonly parse: ParsePort
  stats(): object
  /** Announces the thread's doorbell to the I/O workers, or with null that it is gone. */
  setHolder(holder: number, doorbell: SharedArrayBuffer | null): void
}

/** Bytes that are not a lease's any more, or a copy of them. */
type Decoding = Extract<RequestMessage, { name: 'parse' | 'write' | 'part' | 'parseBatch' }>

export class AttachedThread implements ThreadServer {
  readonly #line: ThreadLine
  readonly #host: AttachHost
  readonly #ringer: Ringer
  readonly #leases = new Map<number, HeldByThread>()
  readonly #requests = new Map<number, AbortController>()
  #nextLease = 1
  #isGone = false

  constructor(line: ThreadLine, host: AttachHost) {
    this.#line = line
    this.#host = host
    this.#ringer = Ringer.of(line.doorbell)
    host.setHolder(line.number, line.doorbell)
  }

  received(message: FromThread): void {
    switch (message.kind) {
      case 'request':
        // Neither of the two ever rejects: what fails is in the reply.
        void this.#serve(message)
        return
      case 'cancel':
        this.#requests.get(message.request)?.abort()
        return
      case 'release':
        void this.#release(message)
        return
      case 'renew':
        return this.#renew(message)
      case 'ending':
        this.#leases.get(message.lease)?.record.beginRelease()
        return
      default:
        message satisfies never
    }
  }

  gone(): void {
    this.#isGone = true
    for (const controller of this.#requests.values()) controller.abort()
    // What it left half done nobody knows.
    for (const { record, holder, call, ended } of this.#leases.values()) {
      holder.leave()
      record.flight?.endedAs(call, 'aborted')
      ended?.('aborted')
      void record.giveBack('discarded', false)
    }
    this.#leases.clear()
    this.#host.setHolder(this.#line.number, null)
  }

  async #serve(message: RequestMessage): Promise<void> {
    const controller = new AbortController()
    this.#requests.set(message.request, controller)
    const outcome = await outcomeOf(() => this.#answer(message, controller.signal))
    this.#requests.delete(message.request)
    this.#reply(message.request, outcome)
  }

  async #release({ request, lease: number, refusal, graceful, outcome }: ReleaseMessage): Promise<void> {
    const lease = this.#leases.get(number)
    this.#leases.delete(number)
    lease?.holder.leave()
    lease?.record.flight?.endedAs(lease.call, outcome)
    lease?.ended?.(outcome)
    const result = await lease?.record.giveBack(refusal as Refusal | null, graceful)
    const unknown: ReleaseResult = { outcome: 'closed', reason: 'discarded' }
    if (request !== null) this.#reply(request, { ok: true, value: result ?? unknown })
  }

  /** It may have ended before the message came; then its holder hears of that. */
  #renew({ lease, ttlMs }: RenewMessage): void {
    const record = this.#leases.get(lease)?.record
    if (record?.gone === null) record.renew(ttlMs)
  }

  #reply(request: number, outcome: OutcomeData): void {
    if (this.#isGone) return
    try {
      this.#line.post({ kind: 'reply', request, outcome })
    } catch (error) {
      const what = new SockpoolError('INVALID_REQUEST', 'the result cannot be cloned', { cause: error })
      this.#line.post({ kind: 'reply', request, outcome: { ok: false, error: what.toJSON() } })
    }
  }

  async #answer(message: RequestMessage, signal: AbortSignal): Promise<unknown> {
    const { parse } = this.#host
    switch (message.name) {
      case 'lease':
        return await this.#lease(message.data, signal)
      case 'exchange':
        return await this.#exchange(message.data, signal)
      case 'parse':
      case 'write':
      case 'parseBatch':
      case 'part':
        return await this.#parse(message, signal)
      case 'run': {
        const { module, argument, timeoutMs } = message.data
        return await parse.run(module, argument, { signal, timeoutMs })
      }
      case 'parseMessage': {
        const { lease, lent, format, options, form, timeoutMs, allowedMs } = message.data
        const work: LoanWork = (port, reader, call) =>
          port.parseMessage(reader, format, options, { ...call, form })
        return await this.#lend(lease, lent, work, { signal, timeoutMs, allowedMs })
      }
      case 'runOn': {
        const { lease, lent, module, argument, timeoutMs, allowedMs } = message.data
        const work: LoanWork = (port, reader, call) => port.runOn(reader, module, argument, call)
        return await this.#lend(lease, lent, work, { signal, timeoutMs, allowedMs })
      }
      case 'hush': {
        const record = this.#find(message.data.lease)
        return await record.operation('start_tls', () => record.connection.hush())
      }
      case 'secure': {
        const { lease: number, as, timeoutMs } = message.data
        const record = this.#find(number)
        await record.operation('start_tls', () => record.connection.secure(as, timeoutMs))
        return record.connection.facts
      }
      case 'order': {
        const { target, order, timeoutMs } = message.data
        return await this.#host.order(target, order as ControlOrder, new CallBounds(signal, timeoutMs))
      }
      case 'kill':
        return await this.#host.kill(message.data.id)
      case 'stats':
        return this.#host.stats()
      default:
        return message satisfies never
    }
  }

  async #lease(data: RequestData['lease'], signal: AbortSignal): Promise<unknown> {
    const target = data.target as string | AdHocTarget
    // That thread has judged what its caller said.
    const { waitMs, timeoutMs, ttlMs, replay, tenant, weight } = data.options
    const asking = { ttlMs, waitMs, replay }
    // What is active here is nothing of that thread's.
    const within = isTraced() ? parentOf(data.trace) : undefined
    const share = { tenant, weight, origin: data.trace ?? undefined, within }
    const request = new LeaseRequest(new CallBounds(signal, timeoutMs), share, asking)
    if (data.blocks && waitMs !== 0) this.#assertNotStarved(target, tenant)
    const number = this.#nextLease++
    const tell = (reason: GoneReason): void => {
      if (!this.#isGone) this.#line.post({ kind: 'ended', lease: number, reason })
    }
    const make = (record: LeaseRecord): AttachedHolder => new AttachedHolder(record, this.#ringer, tell)
    const { operation } = data
    const tally = operation === 'exchange' ? this.#host.tallyOf(target)?.exchanged : undefined
    const ended = countedExchange(tally, within)
    const acquired = await this.#host.acquire(target, request, this.#line.number, make).catch(error => {
      ended?.(nameOf(error))
      throw error
    })
    const { record, holder } = acquired
    if (this.#isGone) {
      holder.leave()
      // Nobody has heard of the lease: its connection is as it was.
      void record.giveBack(null, false)
      ended?.('aborted')
      throw new SockpoolError('ABORTED', 'the thread that asked for the lease is gone')
    }
    if (record.gone !== null) {
      ended?.('lease_gone')
      throw goneError(record.gone)
    }
    holder.granted()
    const call = operation === null ? -1 : (record.flight?.waits(operation) ?? -1)
    this.#leases.set(number, { ...acquired, call, ended })
    return grantOf(number, record)
  }

  async #parse(message: Decoding, signal: AbortSignal): Promise<unknown> {
    const { parse } = this.#host
    switch (message.name) {
      case 'parse': {
        const { format, bytes, options, timeoutMs } = message.data
        return await parse.pack(format, bytes, options, { signal, timeoutMs })
      }
      case 'write': {
        const { format, bytes, options, timeoutMs, wrap, tenant } = message.data
        return await parse.write(format, bytes, wrap, options, { signal, timeoutMs, tenant })
      }
      case 'parseBatch': {
        const { format, bytes, options, tenant } = message.data
        return await parse.parseBatch(format, bytes, options, { tenant })
      }
      case 'part': {
        const { format, part, options, tenant, timeoutMs } = message.data
        return await parse.writePart(format, part, options, { signal, timeoutMs, tenant })
      }
      default:
        return message satisfies never
    }
  }

  async #exchange(data: RequestData['exchange'], signal: AbortSignal): Promise<SharedReplyData | null> {
    const { target, write, messages, limit, tenant, weight, timeoutMs, allowedMs, trace } = data
    const within = isTraced() ? parentOf(trace) : undefined
    const read = { messages, frame: null }
    const bounds = new CallBounds(signal, timeoutMs, allowedMs)
    const share = { tenant, weight, within }
    const reply = await runWithin(within, () =>
      this.#host.exchange(target, { write, read, bounds, share, limit }),
    )
    // A copy of its own memory: what is cloned is all of the memory that a view is of.
    return reply && { data: new Uint8Array(reply.data), reused: reply.reused }
  }

  /** A thread that blocks for what it holds itself would wait for nothing. */
  #assertNotStarved(target: string | AdHocTarget, tenant: string): void {
    const { name, max } = this.#host.limitOf(target, tenant)
    const isHeld = ({ record }: Acquired<AttachedHolder>): boolean =>
      record.terms.target === name && record.gone === null && record.lost === null
    if ([...this.#leases.values()].filter(isHeld).length < max) return
    throw new SockpoolError(
      'WOULD_DEADLOCK',
      `this thread holds all ${max} connections that the target may have`,
    )
  }

  /** Lets a parse worker read the channel of a lease for its holder. */
  async #lend(number: number, lent: LentSource, work: LoanWork, call: ParseCall): Promise<LoanData> {
    const record = this.#find(number)
    // The reading end is that thread's, and pinned by it.
    const takeBack = (): void => {}
    const { outcome, reader } = await record.operation('parse', () => record.lend(lent, work, call, takeBack))
    return {
      // That thread's end is this side's to know; until then the channel is pinned here.
      reader: reader.kind === 'lost' ? { kind: 'lost' } : reader,
      outcome: outcome.ok ? outcome : { ok: false, error: outcome.error.toJSON() },
    }
  }

  #find(number: number): LeaseRecord {
    const lease = this.#leases.get(number)
    invariant(lease !== undefined, 'a thread asks of a lease only while it holds it')
    return lease.record
  }
}

function grantOf(lease: number, record: LeaseRecord): GrantData {
  const { terms, epoch, connection } = record
  const { id, facts, channel, doorbell } = connection
  return { lease, terms, connection: id, epoch, facts, memory: channel.memory, doorbell }
}

async function outcomeOf(run: () => Promise<unknown>): Promise<OutcomeData> {
  try {
    return { ok: true, value: await run() }
  } catch (error) {
    return { ok: false, error: SockpoolError.from(error).toJSON() }
  }
}
