import { METHODS } from 'node:http'
import type { CallerMessage, MessageCutter } from './frame.ts'
import { frameBroken } from './frame-errors.ts'
import { Http1Body } from './http1-body.ts'
import { Http1Fields } from './http1-fields.ts'
import { Http1RequestLine } from './http1-request-line.ts'
import { MessageSize } from './message-size.ts'

const KNOWN: ReadonlySet<string> = new Set(METHODS)

/** Cuts HTTP/1.1 requests: a request line, fields, and the body that they tell of. */
export class Http1Requests implements MessageCutter<CallerMessage> {
  readonly #size: MessageSize
  readonly #line = new Http1RequestLine()
  readonly #fields = new Http1Fields()
  readonly #body: Http1Body
  #part: 'request line' | 'fields' | 'body' = 'request line'
  readonly #endIn = (bytes: Uint8Array): number => this.#endOf(bytes)

  constructor(max: number) {
    this.#size = new MessageSize('http1', max)
    this.#body = new Http1Body(this.#size)
  }

  get isBetween(): boolean {
    return this.#size.isEmpty
  }

  next(bytes: Uint8Array): CallerMessage | null {
    const message = this.#size.cut(bytes, this.#endIn)
    if (!message) return null
    const command = commandOf(this.#line.method)
    const isExclusive =
      command === 'CONNECT' || this.#fields.asksForMore || !this.#fields.persists(this.#line.minor)
    this.#part = 'request line'
    this.#line.begin()
    this.#fields.begin()
    return { ...message, answers: 1, command, isExclusive }
  }

  #endOf(bytes: Uint8Array): number {
    let at = 0
    while (this.#part !== 'body') {
      at = this.#part === 'request line' ? this.#line.endOf(bytes, at) : this.#fields.endOf(bytes, at)
      if (at === -1) return -1
      if (this.#part === 'request line') this.#endLine()
      else this.#endHead(at)
    }
    return this.#body.endOf(bytes, at)
  }

  /** A server that takes `head` for HEAD answers without the body that this frame would wait for. */
  #endLine(): void {
    const { method } = this.#line
    if (commandOf(method) === null && commandOf(method?.toUpperCase() ?? null) !== null)
      throw frameBroken('http1', 'its method is a known one in other letters')
    this.#part = 'fields'
  }

  #endHead(at: number): void {
    this.#part = 'body'
    this.#body.begin(this.#fields.framing(this.#line.minor), at, 'none')
  }
}

/** The method where it is a registered one: any other may be anything, also a secret. */
function commandOf(method: string | null): string | null {
  return method !== null && KNOWN.has(method) ? method : null
}
