/**
 * Messages whose end an operator's own module finds: `export const endOf = (bytes: Uint8Array) => number`, the length of the
 * first whole message, or 0 where more bytes are needed.
 *
 * The function is shown a message from its beginning, so this search, alone of all, keeps the bytes of the one under way. It
 * is asked at every piece: if it were asked less often, a whole message could wait for bytes that never come. So that a peer
 * who sends single bytes cannot make that quadratic, what it is shown of one message in all is bounded, in proportion to the
 * message; beyond that bound the message is one that came in too small pieces, and fails with LIMIT_OVERRUN.
 */

import { DEFAULTS } from '../base/defaults.ts'
import { errorText } from '../base/error-text.ts'
import { LimitOverrunError, SockpoolError } from '../base/errors.ts'
import { LIMITS } from '../base/limits.ts'
import type { Frame } from './frame.ts'
import { frameBroken } from './frame-errors.ts'
import { type EndSearch, symmetricFrame } from './symmetric-frame.ts'

/** What a frame's module exports. The bytes are the function's for the time of the call. */
export type EndOf = (bytes: Uint8Array) => number

/**
 * The frame of a module's `file:` URL.
 *
 * Errors: INVALID_REQUEST where it cannot be loaded or exports no such function.
 */
export async function loadModuleFrame(url: string, max: number = DEFAULTS.frameBytesMax): Promise<Frame> {
  const refuse = (message: string, cause?: unknown): SockpoolError =>
    new SockpoolError('INVALID_REQUEST', `module: ${message}`, {
      errors: [{ path: 'module', message }],
      cause,
    })
  const loaded: { readonly endOf?: unknown } = await import(url).catch(error => {
    throw refuse(`cannot be loaded: ${errorText(error)}`, error)
  })
  const { endOf } = loaded
  if (typeof endOf !== 'function') throw refuse('must export a function endOf')
  return moduleFrame(endOf as EndOf, max)
}

/** What a module calls a message may be anything, so that counts of it prove nothing. */
export function moduleFrame(endOf: EndOf, max: number): Frame {
  return symmetricFrame({
    name: 'module',
    max,
    balances: false,
    search: () => new ModuleSearch(endOf, max),
  })
}

/** Keeps the message under way in memory of its own, which grows with it and which no other thread writes. */
class ModuleSearch implements EndSearch {
  readonly #endOf: EndOf
  readonly #max: number
  #kept = new Uint8Array()
  /** Bytes of this message that were shown, each as often as it was. */
  #shown = 0

  constructor(endOf: EndOf, max: number) {
    this.#endOf = endOf
    this.#max = max
  }

  find(bytes: Uint8Array, before: number): number {
    if (before === 0) this.#shown = 0
    const all = Math.min(before + bytes.length, this.#max)
    let filled = before
    // Of a large piece a little is shown first: the message may be small, and others follow it.
    for (let size = Math.max(2 * before, LIMITS.frameModuleFirstBytes); filled < all; size *= 2) {
      const wanted = Math.min(size, all)
      this.#keep(bytes.subarray(filled - before, wanted - before), filled)
      filled = wanted
      const end = this.#ask(filled, before)
      if (end > 0) {
        if (this.#kept.length > LIMITS.frameModuleFirstBytes) this.#kept = new Uint8Array()
        return end - before
      }
    }
    return 0
  }

  #keep(bytes: Uint8Array, filled: number): void {
    const needed = filled + bytes.length
    if (needed > this.#kept.length) {
      const room = Math.max(needed, LIMITS.frameModuleFirstBytes, Math.min(2 * filled, this.#max))
      const grown = new Uint8Array(room)
      grown.set(this.#kept.subarray(0, filled))
      this.#kept = grown
    }
    this.#kept.set(bytes, filled)
  }

  /** The end of the message within the first `size` bytes, which lies behind the first `before`; or 0. */
  #ask(size: number, before: number): number {
    this.#shown += size
    if (this.#shown > LIMITS.frameModuleLookBytes + LIMITS.frameModuleLooksPerByte * size)
      throw new LimitOverrunError(
        'module: the message came in pieces that are too small for its length',
        size,
      )
    const end = this.#answer(this.#kept.subarray(0, size))
    if (end === 0) return 0
    if (Number.isInteger(end) && end > before && end <= size) return end
    throw frameBroken('module', 'the message has no end at the place that endOf gives')
  }

  #answer(bytes: Uint8Array): number {
    try {
      return this.#endOf(bytes)
    } catch (error) {
      throw frameBroken('module', 'the message is not taken by endOf', error)
    }
  }
}
