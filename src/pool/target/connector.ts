/** What a pool needs of the I/O workers to have a connection. */
import type { IoConnection } from '../../threads/io-connection.ts'
import type { Dial } from '../../threads/protocol.ts'

export interface Connector {
  /** Errors: those of the dial; ABORTED, and then nothing is left behind. */
  open(request: {
    readonly dial: Dial
    readonly connectTimeoutMs: number
    readonly signal?: AbortSignal
  }): Promise<IoConnection>
}
