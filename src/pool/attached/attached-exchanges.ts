/**
 * Exchanges of an attached thread that can share a connection: the pool's thread has them, and this one asks it. Which
 * targets share none this thread learns with its first exchange on each, and anew when the pool's targets have changed.
 */
import { aborted } from '../../base/wait.ts'
import type { AttachLine } from '../../threads/attach-line.ts'
import type { RequestData, SharedReplyData } from '../../threads/attach-protocol.ts'
import type { ExchangeReply } from '../lease/exchange.ts'
import type { JudgedExchange } from '../lease/exchange-request.ts'
import type { AdHocTarget } from '../target/target-pools.ts'
import { attachedTrace } from './attached-trace.ts'

export class AttachedExchanges {
  readonly #line: AttachLine
  readonly #unshared = new Set<string>()
  /** The change of the targets that it was learned after. */
  #change: number

  constructor(line: AttachLine) {
    this.#line = line
    this.#change = line.changes
  }

  /** The reply; null where the exchange takes a connection to itself. Errors: as Pool.exchange. */
  async exchange(target: string | AdHocTarget, exchange: JudgedExchange): Promise<ExchangeReply | null> {
    const data = this.#dataOf(target, exchange)
    if (data === null) return null
    const { signal } = exchange.bounds
    if (signal?.aborted) throw aborted('the exchange', signal)
    const change = this.#change
    const reply = (await this.#line.request('exchange', data, signal)) as Reply
    return this.#replyOf(data.target, reply, change)
  }

  /** As `exchange`, blocking this thread. */
  exchangeSync(target: string | AdHocTarget, exchange: JudgedExchange): ExchangeReply | null {
    const data = this.#dataOf(target, exchange)
    if (data === null) return null
    const change = this.#change
    return this.#replyOf(data.target, this.#line.requestSync('exchange', data) as Reply, change)
  }

  #dataOf(
    target: string | AdHocTarget,
    { write, read, share, bounds, limit }: JudgedExchange,
  ): RequestData['exchange'] | null {
    if (typeof target !== 'string' || !('messages' in read) || read.frame !== null) return null
    if (this.#isUnshared(target)) return null
    const { tenant, weight } = share
    const { timeoutMs, allowedMs } = bounds
    const bytes = typeof write === 'string' ? Buffer.from(write) : write
    const { messages } = read
    const trace = attachedTrace(share)
    return { target, write: bytes, messages, limit, tenant, weight, timeoutMs, allowedMs, trace }
  }

  #isUnshared(target: string): boolean {
    const { changes } = this.#line
    if (changes !== this.#change) this.#unshared.clear()
    this.#change = changes
    return this.#unshared.has(target)
  }

  /** `change`: the last one before it was asked for. What was answered before a later one may not hold after it. */
  #replyOf(target: string, reply: Reply, change: number): ExchangeReply | null {
    if (reply === null) {
      if (change === this.#line.changes) this.#unshared.add(target)
      return null
    }
    const { buffer, byteOffset, byteLength } = reply.data
    const data = Buffer.from(buffer, byteOffset, byteLength)
    return { data, reused: reply.reused, offset: 0, eof: false, ending: null }
  }
}

type Reply = SharedReplyData | null
