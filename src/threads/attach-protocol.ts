/**
 * Every message between the pool's thread and a thread that is attached to it, in one file. Leases are asked for and
 * given back by message; bytes never are: the attached thread and the I/O worker share the channel.
 *
 *   direction       kind        purpose
 *   thread ► pool   hello       attach: the port on which all that follows goes, and the thread's doorbells
 *   thread ► pool   request     ask for something (REQUESTS), answered by `reply`
 *   thread ► pool   cancel      a request is not wanted any more; it is answered all the same
 *   thread ► pool   release     let go of a lease; what becomes of its connection may be awaited by `reply`
 *   thread ► pool   renew       renew the ttl of a lease
 *   thread ► pool   ending      a lease will be let go of once its last bytes are sent; nothing renews it any more
 *   pool ► thread   welcome     attached
 *   pool ► thread   refused     not attached
 *   pool ► thread   reply       what became of a request or a release
 *   pool ► thread   ended       a lease was ended by the pool
 *   pool ► thread   closed      the pool is closed; nothing follows
 *
 * The hello goes through `postMessageToThread`, which finds a thread by its number, so that the handle of a pool needs
 * no port and can be cloned as often as one likes. All else goes through the port that the hello carried, which closes
 * when either thread ends, however it ends.
 *
 *   request       asks                                       the reply's value
 *   lease         for a connection                           GrantData
 *   exchange      one round trip on a shared connection      SharedReplyData, or null where the target has none
 *   parse         to decode complete bytes                   a Parcel of the values
 *   write         the same, as JSON text                     the bytes of the text
 *   part          to parse a part of an input to JSON text   PartResult
 *   run           to run a module in a parse worker          what it returned
 *   parseMessage  to parse a message of a lease's reader     LoanData
 *   parseBatch    to decode bytes of a lease's reader         MessageBatch
 *   runOn         to run a module on a lease's reader        LoanData
 *   hush          to stop plain reading                      the bytes that had no room in the ring
 *   secure        to start TLS on a hushed connection        SocketFacts
 *   order         to do as an operator says of a target      ControlResult
 *   kill          to end a connection, or what a lease holds  KillResult
 *   stats         how much is going on in the pool           as Pool.stats
 */

import type { MessagePort } from 'node:worker_threads'
import type { AnswerForm, TextWrap } from '../base/answer-form.ts'
import type { ErrorFields, GoneReason } from '../base/errors.ts'
import type { InputPart } from '../base/input-part.ts'
import type { PulseMemory, ReplyBellMemory } from '../channel/attach-words.ts'
import type { ChannelMemory } from '../channel/channel.ts'
import type { DoorbellMemory } from '../channel/doorbell.ts'
import type { FrameSpec } from '../frames/frame-spec.ts'
import type { LentSource, ReturnedSource } from '../streams/channel-ends/lent-source.ts'
import type { SocketFacts, TlsSide } from './protocol.ts'

/** What a thread needs to attach itself to a pool: plain data that may be cloned to any thread of the process. */
export type PoolHandle = {
  /** Random text that names the pool. */
  readonly pool: string
  /** The thread that created it. */
  readonly threadId: number
  readonly pulse: PulseMemory
}

export type HelloMessage = {
  readonly kind: 'sockpool.hello'
  readonly pool: string
  readonly port: MessagePort
  readonly doorbell: DoorbellMemory
  readonly bell: ReplyBellMemory
}

/** What a request of each kind asks with. `target`, `options`: as the pool's own methods take them, without signal. */
export type RequestData = {
  readonly lease: {
    readonly target: unknown
    readonly options: {
      readonly waitMs?: number | undefined
      readonly timeoutMs?: number | undefined
      /** Null: for ever. */
      readonly ttlMs?: number | null | undefined
      readonly replay: boolean
      readonly tenant: string
      readonly weight: number
    }
    /** The thread waits for the reply and does nothing else. */
    readonly blocks: boolean
    /** What the span of the lease hangs below, as W3C Trace Context has it; null for nothing. */
    readonly trace: { readonly traceparent: string; readonly tracestate?: string | undefined } | null
    /** The one thing that it is for, as the flight recorder says it; null: whatever its holder does with it. */
    readonly operation: string | null
  }
  /** Messages of the target's own frame for others. */
  readonly exchange: {
    readonly target: string
    readonly write: Uint8Array
    /** How many are the answer. */
    readonly messages: number
    readonly limit: number | undefined
    readonly tenant: string | undefined
    readonly weight: number | undefined
    readonly timeoutMs: number | undefined
    readonly allowedMs: number | undefined
    /** As of a lease: what the span of a dial hangs below. */
    readonly trace: RequestData['lease']['trace']
  }
  readonly parse: {
    readonly format: string
    readonly bytes: Uint8Array
    readonly options: object | undefined
    readonly timeoutMs: number | undefined
  }
  readonly write: {
    readonly format: string
    readonly bytes: Uint8Array
    readonly wrap: TextWrap
    readonly options: object | undefined
    readonly tenant: string | undefined
    readonly timeoutMs: number | undefined
  }
  readonly part: {
    readonly format: string
    readonly part: InputPart
    readonly options: object | undefined
    readonly tenant: string | undefined
    readonly timeoutMs: number | undefined
  }
  readonly run: {
    readonly module: string
    readonly argument: unknown
    readonly timeoutMs: number | undefined
  }
  readonly parseMessage: {
    readonly lease: number
    readonly lent: LentSource
    readonly format: string
    readonly options: object | undefined
    readonly form: AnswerForm | undefined
    readonly timeoutMs: number | undefined
    readonly allowedMs: number | undefined
  }
  readonly parseBatch: {
    readonly format: string
    readonly bytes: Uint8Array<ArrayBuffer>
    readonly options: object | undefined
    readonly tenant: string | undefined
  }
  readonly runOn: {
    readonly lease: number
    readonly lent: LentSource
    readonly module: string
    readonly argument: unknown
    readonly timeoutMs: number | undefined
    readonly allowedMs: number | undefined
  }
  readonly hush: { readonly lease: number }
  readonly secure: { readonly lease: number; readonly as: TlsSide; readonly timeoutMs: number }
  /** `order`: a ControlOrder. */
  readonly order: {
    readonly target: string
    readonly order: unknown
    readonly timeoutMs: number | undefined
  }
  /** Of a connection or a lease. */
  readonly kill: { readonly id: string }
  readonly stats: null
}
export type RequestName = keyof RequestData

export type SharedReplyData = { readonly data: Uint8Array; readonly reused: boolean }

/** A lease as it crosses: its channel, and what the holder must know of it. */
export type GrantData = {
  /** Numbers the leases of one pool for one thread. */
  readonly lease: number
  readonly terms: LeaseTermsData
  readonly connection: string
  /** The epoch that the ends are to be made for. */
  readonly epoch: number
  readonly facts: SocketFacts
  readonly memory: ChannelMemory
  /** The I/O worker's doorbell. */
  readonly doorbell: DoorbellMemory
}

/** What the lease was agreed to be, as the pool's LeaseTerms. */
type LeaseTermsData = {
  readonly target: string
  readonly tenant: string
  readonly reused: boolean
  readonly reuse: 'clean' | 'never'
  readonly ttlMs: number | null
  readonly replayBytes: number
  readonly allowTruncated: boolean
  readonly frame: FrameSpec | null
}

/** How work on a lent reader ended, and where the reader is now. */
export type LoanData = {
  readonly outcome: OutcomeData
  readonly reader:
    | { readonly kind: 'returned'; readonly returned: ReturnedSource }
    | { readonly kind: 'untouched' }
    | { readonly kind: 'lost' }
}

export type OutcomeData =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly error: ErrorFields }

export type RequestMessage = {
  readonly [Name in RequestName]: {
    readonly kind: 'request'
    readonly request: number
    readonly name: Name
    readonly data: RequestData[Name]
  }
}[RequestName]

export type CancelMessage = { readonly kind: 'cancel'; readonly request: number }

export type ReleaseMessage = {
  readonly kind: 'release'
  /** Null: nobody waits for what becomes of it. */
  readonly request: number | null
  readonly lease: number
  /** Why the connection may not serve again, as far as its holder saw; null: nothing speaks against it. */
  readonly refusal: string | null
  /** What was written is still to be sent. */
  readonly graceful: boolean
  /** How the thread's last operation ended, as the flight recorder says it. */
  readonly outcome: string
}

export type RenewMessage = {
  readonly kind: 'renew'
  readonly lease: number
  /** Null: for ever. */
  readonly ttlMs: number | null | undefined
}

export type EndingMessage = { readonly kind: 'ending'; readonly lease: number }

export type FromThread = RequestMessage | CancelMessage | ReleaseMessage | RenewMessage | EndingMessage

export type WelcomeMessage = { readonly kind: 'welcome' }
export type RefusedMessage = { readonly kind: 'refused'; readonly error: ErrorFields }
export type ReplyMessage = {
  readonly kind: 'reply'
  readonly request: number
  readonly outcome: OutcomeData
}
export type EndedMessage = { readonly kind: 'ended'; readonly lease: number; readonly reason: GoneReason }
export type ClosedMessage = { readonly kind: 'closed' }

export type FromPool = WelcomeMessage | RefusedMessage | ReplyMessage | EndedMessage | ClosedMessage
