/** What a forward has counted of its clients so far. */
import type { MovedBytes } from '../../threads/protocol.ts'

/** Rows about a forward, for operators. Plain data. */
export type ForwardStats = {
  /** As the configuration writes it, with the real port. */
  readonly listen: string
  readonly target: string
  readonly mode: 'session' | 'message'
  readonly state: 'listening' | 'closed' | 'failed'
  /** Clients that are here now; of them, those that wait for a connection. */
  readonly clients: number
  readonly waiting: number
  readonly accepted: number
  /** Clients whose connection served them to the end, by what became of it: `clean`, `half_closed`, `error`, …. */
  readonly served: Readonly<Record<string, number>>
  /** Clients that were turned away without a connection, by the code of the error; `left`: they went themselves. */
  readonly refused: Readonly<Record<string, number>>
  /** Bytes from the target, and to it, of clients that have gone. */
  readonly bytesIn: number
  readonly bytesOut: number
}

export class ForwardCounts {
  accepted = 0
  bytesIn = 0
  bytesOut = 0
  readonly #served = new Map<string, number>()
  readonly #refused = new Map<string, number>()

  get served(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#served)
  }

  get refused(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#refused)
  }

  serve(reason: string, moved: MovedBytes): void {
    this.move(moved)
    add(this.#served, reason)
  }

  move({ bytesIn, bytesOut }: MovedBytes): void {
    this.bytesIn += bytesIn
    this.bytesOut += bytesOut
  }

  refuse(reason: string): void {
    add(this.#refused, reason)
  }
}

function add(counts: Map<string, number>, reason: string): void {
  counts.set(reason, (counts.get(reason) ?? 0) + 1)
}
