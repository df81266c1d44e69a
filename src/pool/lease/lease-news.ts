/** What listeners hear of leases: where nobody listens, each costs one question. */
import type { PoolDeps } from '../pool-deps.ts'
import type { ReleaseResult } from '../target/release-result.ts'
import type { LeaseRecord } from './lease-record.ts'

export class LeaseNews {
  readonly #deps: Pick<PoolDeps, 'news' | 'onEvent'>

  constructor(deps: Pick<PoolDeps, 'news' | 'onEvent'>) {
    this.#deps = deps
  }

  /** Its caller has it, who has waited for so long. */
  begun(lease: LeaseRecord, ms: number): void {
    const { news } = this.#deps
    if (!news.isHeard) return
    const { id, connection, terms } = lease
    news.tell('lease', terms.target, { connection: connection.id, lease: id, ms })
  }

  /** `given`: what becomes of its connection. */
  ended(lease: LeaseRecord, given: Promise<ReleaseResult>): void {
    const { news, onEvent } = this.#deps
    if (!news.isHeard) return
    const { id, connection, terms, gone, ageMs: ms } = lease
    given
      .then(({ reason }) => {
        const why = gone === null || gone === 'released' ? reason : gone
        news.tell('release', terms.target, { connection: connection.id, lease: id, reason: why, ms })
      })
      .catch(error => onEvent?.({ kind: 'fault', error }))
  }
}
