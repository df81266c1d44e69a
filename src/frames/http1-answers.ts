import { AskedForms } from './asked-forms.ts'
import type { AnswerCutter, CallerMessage, Message, PeerMessage } from './frame.ts'
import { frameBroken } from './frame-errors.ts'
import { Http1Body } from './http1-body.ts'
import { Http1Fields } from './http1-fields.ts'
import { Http1StatusLine } from './http1-status-line.ts'
import { MessageSize } from './message-size.ts'

/** The methods whose answers have no body, or none that is HTTP. */
type Form = 'HEAD' | 'CONNECT'

/**
 * Cuts HTTP/1.1 answers.
 *
 *   status line ──► fields ──┬──► body                    the message ends with it
 *        ▲                   │
 *        └───────────────────┘ behind an interim answer, 1xx but 101
 */
export class Http1Answers implements AnswerCutter {
  readonly #size: MessageSize
  readonly #forms = new AskedForms<Form>('http1')
  readonly #line = new Http1StatusLine()
  readonly #fields = new Http1Fields()
  readonly #body: Http1Body
  #part: 'status line' | 'fields' | 'body' = 'status line'
  #isLast = false
  readonly #endIn = (bytes: Uint8Array): number => this.#endOf(bytes)

  constructor(max: number) {
    this.#size = new MessageSize('http1', max)
    this.#body = new Http1Body(this.#size)
  }

  get isBetween(): boolean {
    return this.#size.isEmpty
  }

  asked({ command, answers }: CallerMessage): void {
    if (answers === 1) this.#forms.add(command === 'HEAD' || command === 'CONNECT' ? command : null)
  }

  next(bytes: Uint8Array): PeerMessage | null {
    const message = this.#size.cut(bytes, this.#endIn)
    return message && this.#answer(message)
  }

  end(): PeerMessage | null {
    if (this.isBetween) return null
    if (this.#part === 'body' && this.#body.endsWithStream) return this.#answer(this.#size.end())
    throw frameBroken('http1', 'the stream ended within it')
  }

  #answer(message: Message): PeerMessage {
    this.#beginHead()
    this.#forms.answered()
    return { ...message, kind: 'answer', isLast: this.#isLast }
  }

  #beginHead(): void {
    this.#part = 'status line'
    this.#line.begin()
    this.#fields.begin()
  }

  #endOf(bytes: Uint8Array): number {
    let at = 0
    while (this.#part !== 'body') {
      at = this.#part === 'status line' ? this.#line.endOf(bytes, at) : this.#fields.endOf(bytes, at)
      if (at === -1) return -1
      if (this.#part === 'status line') this.#part = 'fields'
      else this.#endHead(at)
    }
    return this.#body.endOf(bytes, at)
  }

  /** `at`: the index behind the head. Its fields are judged even where the status or the request says that it has no body. */
  #endHead(at: number): void {
    const { status, minor } = this.#line
    const framing = this.#fields.framing(minor)
    if (status < 200 && status !== 101) return this.#beginHead()
    this.#part = 'body'
    const form = this.#forms.current
    const isSwitch = status === 101 || (form === 'CONNECT' && status < 300)
    const isBare = isSwitch || form === 'HEAD' || status === 204 || status === 304
    this.#body.begin(isBare ? { kind: 'untold' } : framing, at, isBare ? 'none' : 'rest')
    this.#isLast = isSwitch || this.#body.endsWithStream || !this.#fields.persists(minor)
  }
}
