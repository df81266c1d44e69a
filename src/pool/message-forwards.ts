/** The front doors of a pool that are served message by message, and what they have done for each target. */
import { CallBounds } from '../base/call-bounds.ts'
import { DEFAULTS } from '../base/defaults.ts'
import { SockpoolError } from '../base/errors.ts'
import { durationOption, optionsObject, textOption } from '../base/options.ts'
import { NO_PARENT } from '../tracing/caller-trace.ts'
import type { ForwardHandler } from './forward/forward-spec.ts'
import { MessageForward, type MessageForwardDeps } from './forward/message-forward.ts'
import type { PinReason } from './forward/request-needs.ts'
import type { Held } from './lease/exchange.ts'
import { LeaseEnds } from './lease/lease-ends.ts'
import { EXCHANGE_TRAITS } from './lease/lease-options.ts'
import { LeaseRequest } from './lease/lease-request.ts'
import type { Leases } from './leases.ts'
import type { Multiplexers } from './multiplex/multiplexers.ts'
import type { DialWish } from './target/dial-wish.ts'
import type { MessageForwardStats } from './target/pool-stats.ts'
import type { TargetPools } from './target/target-pools.ts'

export type MessageForwardOptions = {
  /** Whose connections its clients have; default: the operator's own, which is the empty name. */
  readonly tenant?: string | undefined
  /** Milliseconds for the answers to what a client has asked together; default: 30,000. */
  readonly timeoutMs?: number | undefined
  /** Names it where leases are listed; default: `forward`. */
  readonly route?: string | undefined
}

export type MessageForwardsDeps = Pick<MessageForwardDeps, 'waiterCount' | 'now' | 'onFault'> & {
  readonly pools: TargetPools
  readonly leases: Leases
  readonly multiplexers: Multiplexers
}

type Door = { readonly target: string; readonly forward: MessageForward }

export class MessageForwards {
  readonly #deps: MessageForwardsDeps
  readonly #doors = new Set<Door>()
  /** By target; counts outlast the doors that they are of. */
  readonly #pins = new Map<string, Map<PinReason, number>>()
  #isDraining = false

  constructor(deps: MessageForwardsDeps) {
    this.#deps = deps
  }

  /** One for the clients of any listener. Errors: TARGET_NOT_FOUND, INVALID_REQUEST (options; a target whose messages cannot be told apart), DRAINING. */
  open(target: string, options: MessageForwardOptions): MessageForward {
    const { pools, leases, multiplexers, ...deps } = this.#deps
    const said = optionsObject(options)
    const tenant = textOption('tenant', said.tenant) ?? ''
    const timeoutMs = durationOption('timeoutMs', said.timeoutMs, 1) ?? DEFAULTS.operationTimeoutMs
    const origin = { route: textOption('route', said.route) ?? 'forward' }
    if (this.#isDraining) throw new SockpoolError('DRAINING', 'the pool is closed')
    const read = { messages: 1, frame: null }
    const bounds = new CallBounds(undefined, timeoutMs)
    // It serves many clients, one after another, so that it is a part of nobody's trace.
    const share = { tenant, origin, within: NO_PARENT }
    const forward = new MessageForward({
      ...{ ...deps, tenant, timeoutMs },
      pool: () => pools.find(target, tenant),
      acquire: (...asked) => acquire(leases, target, share, ...asked),
      share: write =>
        multiplexers.exchange(pools.find(target, tenant), { write, read, bounds, share, limit: undefined }),
      onPin: reason => this.#pinned(target, reason),
      onClosed: () => this.#doors.delete(door),
    })
    const door = { target, forward }
    this.#doors.add(door)
    if (!this.#pins.has(target)) this.#pins.set(target, new Map())
    return forward
  }

  /** Serves the clients of forwards in mode `message`, those of one forward together. */
  handler({ timeoutMs }: Pick<MessageForwardOptions, 'timeoutMs'> = {}): ForwardHandler {
    const doors = new Map<string, MessageForward>()
    return async ({ reader, writer, connection, onMoved, target, tenant }) => {
      if (this.#isDraining) return writer.close()
      const key = `${tenant}\n${target}`
      const forward = doors.get(key) ?? this.open(target, { tenant, timeoutMs, route: tenant })
      doors.set(key, forward)
      try {
        await forward.handler(reader, writer, connection, onMoved)
      } finally {
        if (forward.clients === 0 && doors.get(key) === forward) {
          doors.delete(key)
          forward.close()
        }
      }
    }
  }

  /** Null for a target that has had no such front door. */
  statsOf(target: string): MessageForwardStats | null {
    const pins = this.#pins.get(target)
    if (pins === undefined) return null
    let [clients, pinned] = [0, 0]
    for (const { target: own, forward } of this.#doors)
      if (own === target) {
        clients += forward.clients
        pinned += forward.pinned
      }
    return { clients, pinned, pins: Object.fromEntries(pins) }
  }

  /** Clients that wait for the target, less those that wait in its own queue on their behalf. */
  aheadOf(target: string): number {
    let ahead = 0
    for (const { target: own, forward } of this.#doors) if (own === target) ahead += forward.ahead
    return ahead
  }

  /** As MessageForward.tend, of all. */
  tend(): void {
    for (const { forward } of this.#doors) forward.tend()
  }

  /** As MessageForward.drain, of all; no other is opened. */
  drain(): void {
    this.#isDraining = true
    for (const { forward } of this.#doors) forward.drain()
  }

  close(): void {
    for (const { forward } of [...this.#doors]) forward.close()
  }

  #pinned(target: string, reason: PinReason): void {
    const pins = this.#pins.get(target)
    pins?.set(reason, (pins.get(reason) ?? 0) + 1)
  }
}

/** A lease that lasts for as long as its holder likes. Errors: as Leases.acquire. */
async function acquire(
  leases: Leases,
  target: string,
  share: ConstructorParameters<typeof LeaseRequest>[1],
  signal: AbortSignal,
  waitMs: number,
  wish: DialWish | null,
): Promise<Held> {
  const request = new LeaseRequest(new CallBounds(signal, undefined), share, { ttlMs: null, waitMs }, wish)
  const { record, holder } = await leases.acquire(
    target,
    request,
    0,
    record => new LeaseEnds(record, EXCHANGE_TRAITS),
  )
  return { keeper: record, ends: holder }
}
