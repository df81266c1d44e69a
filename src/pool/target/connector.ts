/** What a pool needs of the I/O workers to have a connection. */
import type { IoConnection } from '../../threads/io-connection.ts'
import type { Dial, NameAnswer } from '../../threads/protocol.ts'

export interface Connector {
  /** Errors: those of the dial; ABORTED, and then nothing is left behind. */
  open(request: {
    readonly dial: Dial
    readonly connectTimeoutMs: number
    readonly signal?: AbortSignal
    /** The I/O worker to dial in; default: the least loaded. */
    readonly worker?: number
    /** Told of the place that was tried last, before the promise settles; those before it have failed. */
    readonly onPlace?: (place: number) => void
  }): Promise<IoConnection>
  /**
   * What a name of the operator's is now. `known`: the addresses of connections that were dialled by it, which are missed
   * only where the system misses them too. Errors: DNS_FAILED, QUEUE_FULL, WORKER_LOST.
   */
  lookUp(name: string, known: readonly string[]): Promise<NameAnswer>
}
