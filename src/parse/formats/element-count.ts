import { SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'

/** Counts the parts of one value, each of which costs memory. */
export class ElementCount {
  #count = 0

  /** Errors: PARSE_LIMIT, where more than LIMITS.parseElementsMax are there by now. */
  add(count: number, offset: number): void {
    this.#count += count
    if (this.#count <= LIMITS.parseElementsMax) return
    throw new SockpoolError('PARSE_LIMIT', `the value has more than ${LIMITS.parseElementsMax} parts`, {
      offset,
    })
  }
}
