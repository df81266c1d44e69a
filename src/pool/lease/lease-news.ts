/** What listeners hear of leases: where nobody listens, each costs one question. */
import type { PoolNews } from '../target/pool-news.ts'
import type { ReleaseResult } from '../target/release-result.ts'
import type { LeaseRecord } from './lease-record.ts'

export class LeaseNews {
  readonly #news: PoolNews
  readonly #onFault: (error: unknown) => void

  /** `onFault`: hears of a fault of ours, which nobody awaits. */
  constructor(news: PoolNews, onFault: (error: unknown) => void) {
    this.#news = news
    this.#onFault = onFault
  }

  /** Its caller has it, who has waited for so long. */
  begun(lease: LeaseRecord, ms: number): void {
    if (!this.#news.isHeard) return
    const { id, connection, terms } = lease
    this.#news.tell('lease', terms.target, { connection: connection.id, lease: id, ms })
  }

  /** `given`: what becomes of its connection. */
  ended(lease: LeaseRecord, given: Promise<ReleaseResult>): void {
    if (!this.#news.isHeard) return
    const { id, connection, terms, gone, ageMs: ms } = lease
    given
      .then(({ reason }) => {
        const why = gone === null || gone === 'released' ? reason : gone
        this.#news.tell('release', terms.target, { connection: connection.id, lease: id, reason: why, ms })
      })
      .catch(this.#onFault)
  }
}
