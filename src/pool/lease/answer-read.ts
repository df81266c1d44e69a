/** The answers of one exchange, cut by a frame: as many as were asked for, and what answers nobody is passed over. */
import { IncompleteReadError, LimitOverrunError, SockpoolError } from '../../base/errors.ts'
import type { Frame } from '../../frames/frame.ts'
import { MessageSearch } from '../../streams/reading/message-search.ts'

export class AnswerRead {
  readonly search: MessageSearch
  readonly #wanted: number
  readonly #limit: number
  readonly #answers: Buffer[] = []
  #length = 0

  /** `limit`: bytes of all answers together; default unbounded, as each is bounded by its frame. */
  constructor(frame: Frame, wanted: number, request: string | Uint8Array, limit?: number) {
    this.search = new MessageSearch(frame)
    this.#wanted = wanted
    this.#limit = limit ?? Number.POSITIVE_INFINITY
    this.#asked(frame, typeof request === 'string' ? Buffer.from(request) : request)
  }

  get isWhole(): boolean {
    return this.#answers.length === this.#wanted
  }

  get data(): Buffer {
    const [first] = this.#answers
    return first !== undefined && this.#answers.length === 1 ? first : Buffer.concat(this.#answers)
  }

  /** A message was read. Errors: LIMIT_OVERRUN. */
  took(message: Buffer): void {
    if (this.search.found?.kind === 'push') return
    this.#answers.push(message)
    this.#length += message.length
    if (this.#length <= this.#limit) return
    throw new LimitOverrunError(`more than ${this.#limit} bytes came`, this.#length - message.length)
  }

  /** The error of a read, where answers came before it: they are part of what came. */
  failed(error: unknown): unknown {
    if (!(error instanceof IncompleteReadError) || this.#answers.length === 0) return error
    return new IncompleteReadError(Buffer.concat([...this.#answers, error.partial]), null)
  }

  /** What is no whole request says nothing of its answer. */
  #asked(frame: Frame, bytes: Uint8Array): void {
    const cutter = frame.requests()
    if (cutter === null) return
    try {
      for (let at = 0; at < bytes.length; ) {
        const request = cutter.next(bytes.subarray(at))
        if (request === null) return
        this.search.asked(request)
        at += request.taken
      }
    } catch (error) {
      if (!(error instanceof SockpoolError)) throw error
    }
  }
}
