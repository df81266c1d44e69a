/**
 * What a client of a front door asks, cut into requests and given out in batches: as many in a row as came together and
 * may be under way together. The next ones are not read before that.
 */
import { ChunkList } from '../../base/chunk-list.ts'
import { SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import type { CallerMessage, Frame, MessageCutter } from '../../frames/frame.ts'
import type { StreamReader } from '../../streams/reading/stream-reader.ts'
import { needOf, type RequestNeed } from './request-needs.ts'

export type ForwardRequest = {
  readonly bytes: Buffer
  readonly message: CallerMessage
  readonly need: RequestNeed
}

export type RequestBatch =
  /** On connections that others share. */
  | { readonly kind: 'shared'; readonly requests: readonly ForwardRequest[] }
  /** On one connection, which nobody else has meanwhile. */
  | { readonly kind: 'held'; readonly requests: readonly ForwardRequest[] }
  | { readonly kind: 'pin'; readonly request: ForwardRequest }
  | { readonly kind: 'quit' }
  /** Nothing behind it can be told apart. */
  | { readonly kind: 'broken'; readonly error: SockpoolError }

export type RequestBatchesDeps = {
  readonly reader: StreamReader
  readonly frame: Frame
  /** Whether plain requests go to connections that others share, as things are now. */
  readonly isShared: () => boolean
}

type BatchKind = RequestBatch['kind']
type Cut = ForwardRequest | { readonly need: 'broken'; readonly error: SockpoolError }

const NOTHING: Buffer = Buffer.alloc(0)

export class RequestBatches {
  readonly #deps: RequestBatchesDeps
  readonly #cutter: MessageCutter<CallerMessage> | null
  /** Of a request that has not come whole. */
  readonly #begun = new ChunkList()
  /** Read, and not cut yet. */
  #rest: Buffer = NOTHING
  /** Cut, and of another kind than the batch before it. */
  #ahead: Cut | null = null

  constructor(deps: RequestBatchesDeps) {
    this.#deps = deps
    this.#cutter = deps.frame.requests()
  }

  /** The next ones, once there are any; null where the client sends no more. Errors: those of the client's stream. */
  async next(): Promise<RequestBatch | null> {
    for (;;) {
      const batch = this.#take()
      if (batch !== null) return batch
      this.#rest = await this.#deps.reader.read(LIMITS.forwardReadBytes)
      if (this.#rest.length === 0) return null
    }
  }

  /** Whether everything that was read was given out. */
  get isEmpty(): boolean {
    return this.#begun.length === 0 && this.#rest.length === 0 && this.#ahead === null
  }

  /** Whether what comes next pins the client, and is here. */
  get isPinNext(): boolean {
    return this.#ahead?.need === 'pin'
  }

  /** Everything that was read and not given out. */
  takeRest(): readonly Buffer[] {
    const rest = [this.#begun.takeAll(), this.#rest].filter(({ length }) => length > 0)
    this.#rest = NOTHING
    return rest
  }

  #take(): RequestBatch | null {
    const first = this.#cut()
    if (first === null) return null
    const kind = this.#kindOf(first.need)
    switch (kind) {
      case 'shared':
        return { kind, requests: this.#row(first as ForwardRequest, kind, LIMITS.forwardSharedRequests) }
      case 'held':
        return { kind, requests: this.#row(first as ForwardRequest, kind, LIMITS.forwardBatchRequests) }
      case 'pin':
        return { kind, request: first as ForwardRequest }
      case 'quit':
        return { kind }
      case 'broken':
        return { kind, error: 'error' in first ? first.error : refused() }
      default:
        return kind satisfies never
    }
  }

  #kindOf(need: Cut['need']): BatchKind {
    switch (need) {
      case 'plain':
        return this.#deps.isShared() ? 'shared' : 'held'
      case 'held':
      case 'blocking':
        return 'held'
      case 'refused':
        return 'broken'
      default:
        return need
    }
  }

  /** With those behind it that are of its kind. */
  #row(first: ForwardRequest, kind: BatchKind, most: number): readonly ForwardRequest[] {
    const row = [first]
    while (row.length < most) {
      const next = this.#cut()
      if (next === null) break
      if (this.#kindOf(next.need) !== kind) {
        this.#ahead = next
        break
      }
      row.push(next as ForwardRequest)
    }
    return row
  }

  /** The next whole request; null where more is to be read for it. */
  #cut(): Cut | null {
    const { frame } = this.#deps
    const ahead = this.#ahead
    this.#ahead = null
    if (ahead !== null) return ahead
    const rest = this.#rest
    if (rest.length === 0) return null
    try {
      const message = this.#cutter?.next(rest) ?? null
      if (message === null) {
        this.#begun.push(rest)
        this.#rest = NOTHING
        return null
      }
      const { taken } = message
      this.#rest = taken === rest.length ? NOTHING : rest.subarray(taken)
      return { bytes: this.#whole(rest, taken), message, need: needOf(frame.name, message) }
    } catch (error) {
      if (!(error instanceof SockpoolError)) throw error
      this.#rest = NOTHING
      return { need: 'broken', error }
    }
  }

  #whole(rest: Buffer, taken: number): Buffer {
    const own = taken === rest.length ? rest : rest.subarray(0, taken)
    if (this.#begun.length === 0) return own
    this.#begun.append(own)
    return this.#begun.takeAll()
  }
}

function refused(): SockpoolError {
  return new SockpoolError('FRAME_BROKEN', 'a server would take this for an attack')
}
