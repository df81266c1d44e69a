/**
 * Exchanges of an attached thread that can share a connection: the pool's thread has them, and this one asks it. Which
 * targets share none this thread learns with its first exchange on each.
 */
import { aborted } from '../../base/wait.ts'
import type { AttachLine } from '../../threads/attach-line.ts'
import type { RequestData, SharedReplyData } from '../../threads/attach-protocol.ts'
import type { ExchangeReply } from '../lease/exchange.ts'
import type { JudgedExchange } from '../lease/exchange-request.ts'
import type { AdHocTarget } from '../target/target-pools.ts'

export class AttachedExchanges {
  readonly #line: AttachLine
  readonly #unshared = new Set<string>()

  constructor(line: AttachLine) {
    this.#line = line
  }

  /** The reply; null where the exchange takes a connection to itself. Errors: as Pool.exchange. */
  async exchange(target: string | AdHocTarget, exchange: JudgedExchange): Promise<ExchangeReply | null> {
    const data = this.#dataOf(target, exchange)
    if (data === null) return null
    const { signal } = exchange.bounds
    if (signal?.aborted) throw aborted('the exchange', signal)
    return this.#replyOf(data.target, (await this.#line.request('exchange', data, signal)) as Reply)
  }

  /** As `exchange`, blocking this thread. */
  exchangeSync(target: string | AdHocTarget, exchange: JudgedExchange): ExchangeReply | null {
    const data = this.#dataOf(target, exchange)
    return data && this.#replyOf(data.target, this.#line.requestSync('exchange', data) as Reply)
  }

  #dataOf(
    target: string | AdHocTarget,
    { write, read, share, bounds, limit }: JudgedExchange,
  ): RequestData['exchange'] | null {
    if (typeof target !== 'string' || !('messages' in read) || read.frame !== null) return null
    if (this.#unshared.has(target)) return null
    const { tenant, weight } = share
    const { timeoutMs, allowedMs } = bounds
    const bytes = typeof write === 'string' ? Buffer.from(write) : write
    return { target, write: bytes, messages: read.messages, limit, tenant, weight, timeoutMs, allowedMs }
  }

  #replyOf(target: string, reply: Reply): ExchangeReply | null {
    if (reply === null) {
      this.#unshared.add(target)
      return null
    }
    const { buffer, byteOffset, byteLength } = reply.data
    const data = Buffer.from(buffer, byteOffset, byteLength)
    return { data, reused: reply.reused, offset: 0, eof: false, ending: null }
  }
}

type Reply = SharedReplyData | null
