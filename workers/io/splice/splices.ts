/** Who is joined in one I/O worker: by the number of the connection's channel. */
import { breakOff } from '../../../src/base/break-off.ts'
import type { FromIoWorker, SpliceMessage } from '../../../src/threads/protocol.ts'
import type { Connection } from '../connection.ts'
import type { Listeners } from '../listeners.ts'
import type { Splice } from './splice.ts'

export type SplicesDeps = {
  readonly connections: { find(channel: number, generation: number): Connection | undefined }
  readonly listeners: Pick<Listeners, 'takeClient'>
  readonly tell: (message: FromIoWorker) => void
}

type Pair = { readonly splice: Splice; readonly generation: number; told: number }

export class Splices {
  readonly #deps: SplicesDeps
  readonly #pairs = new Map<number, Pair>()

  constructor(deps: SplicesDeps) {
    this.#deps = deps
  }

  /**
   * Joins the two. Where the client has gone meanwhile the connection is as it was, and freed at once; where the connection
   * has, the client is reset.
   */
  begin({ listener, incoming, channel, generation, terms }: SpliceMessage): void {
    const { connections, listeners, tell } = this.#deps
    const client = listeners.takeClient(listener, incoming)
    const connection = connections.find(channel, generation)
    const over = (how: 'freed' | 'lost', splice: Splice | null): void => {
      this.#pairs.delete(channel)
      const { bytesIn, bytesOut } = splice ?? { bytesIn: 0, bytesOut: 0 }
      tell({ kind: 'unspliced', channel, generation, how, bytesIn, bytesOut })
    }
    if (connection === undefined) {
      if (client) breakOff(client.socket)
      return over('lost', null)
    }
    if (client === undefined) return over('freed', null)
    // A client that had just ended may part from it in this very call.
    let parted: 'freed' | 'lost' | null = null
    let splice: Splice | null = null
    const onParted = (how: 'freed' | 'lost'): void => {
      parted = how
      if (splice !== null) over(how, splice)
    }
    splice = connection.join({ client, terms, onParted })
    if (parted !== null) return over(parted, splice)
    if (splice !== null) return void this.#pairs.set(channel, { splice, generation, told: 0 })
    breakOff(client.socket)
    over('lost', null)
  }

  /** Says how far those are who have moved bytes since the last time. */
  tellMoved(): void {
    const pairs = []
    for (const [channel, pair] of this.#pairs) {
      const { splice, generation } = pair
      const { bytesIn, bytesOut } = splice
      if (bytesIn + bytesOut === pair.told) continue
      pair.told = bytesIn + bytesOut
      pairs.push({ channel, generation, bytesIn, bytesOut })
    }
    if (pairs.length > 0) this.#deps.tell({ kind: 'moved', pairs })
  }
}
