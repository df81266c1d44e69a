import { SockpoolError } from '../../base/errors.ts'
import type { Cutter, CutterState } from './format.ts'

/** One message: all that comes, up to the end of the input. */
export class EndCutter implements Cutter {
  readonly #max: number
  #seen: number

  /** `max`: bytes of the longest message. */
  constructor(max: number, { seen }: CutterState = {}) {
    this.#max = max
    this.#seen = Number(seen ?? 0)
  }

  push(chunk: Uint8Array): 0 {
    this.#seen += chunk.length
    if (this.#seen <= this.#max) return 0
    throw new SockpoolError('PARSE_LIMIT', `a message is longer than ${this.#max} bytes`, {
      offset: this.#max,
    })
  }

  finish(): number | 'none' {
    return this.#seen === 0 ? 'none' : this.#seen
  }

  save(): CutterState {
    return { seen: this.#seen }
  }
}
