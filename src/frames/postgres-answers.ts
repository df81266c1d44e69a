import { AskedForms } from './asked-forms.ts'
import type { AnswerCutter, CallerMessage, Message, PeerMessage } from './frame.ts'
import { frameBroken } from './frame-errors.ts'
import { Int32 } from './int32.ts'
import { MessageSize } from './message-size.ts'
import { PostgresSeverity } from './postgres-severity.ts'

/** What a message of the server means for the end of the answer. */
type Role = 'rides' | 'ends' | 'authentication' | 'error'

const ROLES: ReadonlyMap<number, Role> = new Map([
  // From CommandComplete to NegotiateProtocolVersion: what a ReadyForQuery follows.
  ...rolesOf('23CcdDIKnNAtS1sTVv', 'rides'),
  // ReadyForQuery, CopyInResponse, CopyOutResponse, CopyBothResponse.
  ...rolesOf('ZGHW', 'ends'),
  ...rolesOf('R', 'authentication'),
  ...rolesOf('E', 'error'),
])

/** Requests that are answered by one byte, and the byte that says yes. */
type Form = 'SSLRequest' | 'GSSENCRequest'

const YES = { SSLRequest: 0x53, GSSENCRequest: 0x47 } as const satisfies Record<Form, number>
const NO = 0x4e
const ERROR = 0x45
/** NotificationResponse. */
const NOTIFICATION = 0x41

/** Codes of authentication messages that want nothing: Ok, SASLFinal. */
const SETTLED: ReadonlySet<number> = new Set([0, 12])

/** A length counts itself and what it announces; an authentication message has a code. */
const [LENGTH_BYTES, CODE_BYTES] = [4, 4]

type Part = 'start' | 'type' | 'length' | 'code' | 'body' | 'end'

/**
 * Cuts the answers of a PostgreSQL server, protocol 3: each some messages of `type, length, body`.
 *
 *   start ──► type ──► length ──► [code] ──► body ──┬──► type …          another message of the answer
 *     │                                             └──► end             the answer is whole
 *     └──────────────────────────────────────────────────► end           one byte, behind SSLRequest and GSSENCRequest
 *
 * A notification that comes between two answers is a push. Within one it rides with it, as the server sends those of a
 * request's own NOTIFY. No other type can be told so: an answer may begin with a notice or a parameter of its own.
 */
export class PostgresAnswers implements AnswerCutter {
  readonly #size: MessageSize
  readonly #forms = new AskedForms<Form>('postgres')
  readonly #number = new Int32()
  readonly #severity = new PostgresSeverity()
  #part: Part = 'start'
  #role: Role = 'rides'
  /** Bytes of the message that are to come. */
  #left = 0
  /** Whether the answer holds an error behind which the server closes. */
  #isFatal = false
  #isLast = false
  #kind: PeerMessage['kind'] = 'answer'
  readonly #endIn = (bytes: Uint8Array): number => this.#endOf(bytes)

  constructor(max: number) {
    this.#size = new MessageSize('postgres', max)
  }

  get isBetween(): boolean {
    return this.#size.isEmpty
  }

  asked({ command, answers }: CallerMessage): void {
    if (answers === 1)
      this.#forms.add(command === 'SSLRequest' || command === 'GSSENCRequest' ? command : null)
  }

  next(bytes: Uint8Array): PeerMessage | null {
    const message = this.#size.cut(bytes, this.#endIn)
    return message && this.#answer(message)
  }

  end(): PeerMessage | null {
    if (this.isBetween) return null
    if (this.#part !== 'type' || !this.#isFatal) throw broken('the stream ended within an answer')
    this.#isLast = true
    return this.#answer(this.#size.end())
  }

  #answer(message: Message): PeerMessage {
    const [kind, isLast] = [this.#kind, this.#isLast]
    this.#part = 'start'
    this.#kind = 'answer'
    this.#isLast = false
    this.#isFatal = false
    if (kind === 'answer') this.#forms.answered()
    return { ...message, kind, isLast }
  }

  #endOf(bytes: Uint8Array): number {
    for (let at = 0; at < bytes.length; ) {
      if (this.#part === 'body') at += this.#inBody(bytes, at)
      else this.#step(bytes[at] ?? 0, ++at)
      if (this.#part === 'end') return at
    }
    return -1
  }

  /** `behind`: the index behind the byte. */
  #step(byte: number, behind: number): void {
    switch (this.#part) {
      case 'start':
        return this.#inStart(byte)
      case 'type':
        return this.#inType(byte)
      case 'length':
        if (this.#number.add(byte)) this.#endLength(behind)
        return
      case 'code':
        if (this.#number.add(byte)) this.#endCode()
        return
      case 'body':
      case 'end':
        return
      default:
        return this.#part satisfies never
    }
  }

  /** A server that cannot even judge the request answers it with an error. */
  #inStart(byte: number): void {
    const form = this.#forms.current
    if (form === null || byte === ERROR) {
      if (byte === NOTIFICATION) this.#kind = 'push'
      return this.#inType(byte)
    }
    if (byte !== YES[form] && byte !== NO) throw broken(`it is no answer to ${form}`)
    this.#isLast = byte === YES[form]
    this.#part = 'end'
  }

  #inType(byte: number): void {
    const role = ROLES.get(byte)
    if (role === undefined) throw broken('a message has an unknown type')
    this.#role = role
    this.#number.begin()
    this.#part = 'length'
  }

  #endLength(behind: number): void {
    const least = this.#role === 'authentication' ? LENGTH_BYTES + CODE_BYTES : LENGTH_BYTES
    if (this.#number.value < least) throw broken('a message is shorter than its own length')
    this.#left = this.#number.value - LENGTH_BYTES
    this.#size.announce(behind, this.#left)
    if (this.#role === 'authentication') {
      this.#number.begin()
      this.#part = 'code'
      return
    }
    if (this.#role === 'error') this.#severity.begin()
    this.#beginBody()
  }

  #endCode(): void {
    this.#left -= CODE_BYTES
    if (!SETTLED.has(this.#number.value)) this.#role = 'ends'
    this.#beginBody()
  }

  #beginBody(): void {
    this.#part = 'body'
    if (this.#left === 0) this.#endBody()
  }

  /** How many bytes from `at` on belong to the body. */
  #inBody(bytes: Uint8Array, at: number): number {
    const taken = Math.min(bytes.length - at, this.#left)
    if (this.#role === 'error') this.#severity.look(bytes.subarray(at, at + taken))
    this.#left -= taken
    if (this.#left === 0) this.#endBody()
    return taken
  }

  #endBody(): void {
    if (this.#role === 'error' && this.#severity.isFatal) this.#isFatal = true
    this.#part = this.#role === 'ends' || this.#kind === 'push' ? 'end' : 'type'
  }
}

function rolesOf(types: string, role: Role): readonly (readonly [number, Role])[] {
  return Array.from(types, type => [type.charCodeAt(0), role] as const)
}

function broken(what: string): Error {
  return frameBroken('postgres', what)
}
