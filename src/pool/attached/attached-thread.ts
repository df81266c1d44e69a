/**
 * One attached thread, on the pool's own: answers what it asks, keeps what it holds, and takes everything back when it
 * is gone. It has no say of its own; leases come from the pool like everybody's.
 */
import { invariant, SockpoolError } from '../../base/errors.ts'
import { Ringer } from '../../channel/doorbell.ts'
import type { ThreadLine, ThreadServer } from '../../threads/attach-desk.ts'
import type {
  FromThread,
  LoanData,
  OutcomeData,
  ReleaseMessage,
  RequestData,
  RequestMessage,
} from '../../threads/attach-protocol.ts'
import type { LeaseParts } from '../lease/lease-parts.ts'
import type { LoanResult, ParsePort } from '../lease/parse-port.ts'
import type { HeldLease } from '../target/held-lease.ts'
import type { AdHocTarget } from '../target/target-pools.ts'
import type { ReleaseReason, ReleaseVerdict } from '../target/verdict.ts'
import { type Holder, RemoteLease } from './remote-lease.ts'

/** The pool, as its attached threads use it. */
export interface AttachHost {
  /** As Pool.lease, for a lease of another kind. */
  leaseAs<T extends HeldLease>(
    target: string | AdHocTarget,
    options: RequestData['lease']['options'] & { readonly signal: AbortSignal },
    make: (parts: LeaseParts) => T,
  ): Promise<T>
  /** The target that a request means, and how many connections it may have. Errors: as Pool.lease. */
  limitOf(
    target: string | AdHocTarget,
    tenant: string | undefined,
  ): { readonly name: string; readonly max: number }
  readonly parse: ParsePort
  stats(): object
  /** Announces the thread's doorbell to the I/O workers, or with null that it is gone. */
  setHolder(holder: number, doorbell: SharedArrayBuffer | null): void
}

export class AttachedThread implements ThreadServer {
  readonly #line: ThreadLine
  readonly #host: AttachHost
  readonly #ringer: Ringer
  readonly #leases = new Map<number, RemoteLease>()
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
        void this.#serve(message)
        return
      case 'cancel':
        this.#requests.get(message.request)?.abort()
        return
      case 'release':
        void this.#release(message)
        return
      case 'renew':
        this.#leases.get(message.lease)?.renew(message.ttlMs)
        return
      default:
        message satisfies never
    }
  }

  gone(): void {
    this.#isGone = true
    for (const controller of this.#requests.values()) controller.abort()
    for (const lease of this.#leases.values()) lease.holderGone()
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

  async #release({ request, lease: number, refusal, graceful }: ReleaseMessage): Promise<void> {
    const lease = this.#leases.get(number)
    this.#leases.delete(number)
    const verdict: ReleaseVerdict | undefined = await lease?.letGo(
      refusal as Exclude<ReleaseReason, 'clean'> | null,
      graceful,
    )
    if (request !== null)
      this.#reply(request, { ok: true, value: verdict ?? { outcome: 'closed', reason: 'discarded' } })
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
      case 'parse': {
        const { format, bytes, options, timeoutMs } = message.data
        return await parse.parse(format, bytes, options, { signal, timeoutMs })
      }
      case 'run': {
        const { module, argument, timeoutMs } = message.data
        return await parse.run(module, argument, { signal, timeoutMs })
      }
      case 'parseMessage': {
        const { lease, lent, format, options, timeoutMs } = message.data
        return await this.#lend(lease, call =>
          parse.parseMessage(lent, format, options, { ...call, signal, timeoutMs }),
        )
      }
      case 'runOn': {
        const { lease, lent, module, argument, timeoutMs } = message.data
        return await this.#lend(lease, call =>
          parse.runOn(lent, module, argument, { ...call, signal, timeoutMs }),
        )
      }
      case 'hush': {
        const lease = this.#find(message.data.lease)
        return await lease.operation('startTls', () => lease.connection.hush())
      }
      case 'secure': {
        const { lease: number, as, timeoutMs } = message.data
        const lease = this.#find(number)
        await lease.operation('startTls', () => lease.connection.secure(as, timeoutMs))
        return lease.connection.facts
      }
      case 'stats':
        return this.#host.stats()
      default:
        return message satisfies never
    }
  }

  async #lease(data: RequestData['lease'], signal: AbortSignal): Promise<unknown> {
    const target = data.target as string | AdHocTarget
    const { options } = data
    if (data.blocks && options.waitMs !== 0) this.#assertNotStarved(target, options.tenant)
    const number = this.#nextLease++
    const holder: Holder = {
      thread: this.#line.number,
      ringer: this.#ringer,
      lease: number,
      onEnded: reason => {
        if (!this.#isGone) this.#line.post({ kind: 'ended', lease: number, reason })
      },
    }
    const lease = await this.#host.leaseAs(
      target,
      { ...options, signal },
      parts => new RemoteLease(parts, holder),
    )
    if (this.#isGone) {
      lease.holderGone()
      throw new SockpoolError('ABORTED', 'the thread that asked for the lease is gone')
    }
    this.#leases.set(number, lease)
    return lease.grant
  }

  /** A thread that blocks for what it holds itself would wait for nothing. */
  #assertNotStarved(target: string | AdHocTarget, tenant: string | undefined): void {
    const { name, max } = this.#host.limitOf(target, tenant)
    const held = [...this.#leases.values()].filter(lease => lease.target === name && lease.isHeld).length
    if (held < max) return
    throw new SockpoolError(
      'WOULD_DEADLOCK',
      `this thread holds all ${max} connections that the target may have`,
    )
  }

  /** Lets a parse worker read the channel of a lease for its holder. */
  async #lend(
    number: number,
    run: (call: { readonly tenant: string }) => Promise<LoanResult>,
  ): Promise<LoanData> {
    const lease = this.#find(number)
    const { outcome, reader } = await lease.operation('parse', () => run({ tenant: lease.tenant }))
    return { reader, outcome: outcome.ok ? outcome : { ok: false, error: outcome.error.toJSON() } }
  }

  #find(number: number): RemoteLease {
    const lease = this.#leases.get(number)
    invariant(lease !== undefined, 'a thread asks of a lease only while it holds it')
    return lease
  }
}

async function outcomeOf(run: () => Promise<unknown>): Promise<OutcomeData> {
  try {
    return { ok: true, value: await run() }
  } catch (error) {
    return { ok: false, error: SockpoolError.from(error).toJSON() }
  }
}
