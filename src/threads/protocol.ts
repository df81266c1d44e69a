/**
 * Every message between the pool's thread and an I/O worker, in one file. Messages open connections and change
 * what they speak; everything else that happens to an open connection (bytes, ends, leases, release checks) goes through
 * the words of its channel and the doorbells.
 *
 *   direction   kind        purpose
 *   pool ► io   open        dial, run the dialog, and serve the channel until the connection ends
 *   pool ► io   listen      bind, and keep what comes waiting
 *   pool ► io   serve       announce what waits and what will come
 *   pool ► io   adopt       serve the channel with an accepted connection
 *   pool ► io   refuse      destroy an accepted connection
 *   pool ► io   splice      join an accepted connection with a leased one of this thread
 *   pool ► io   desk        have a desk, where clients and connections of a front door meet, or have it no more
 *   pool ► io   attend      serve a client that is at rest at the desk
 *   pool ► io   lend        a leased connection carries there what its clients ask
 *   pool ► io   recall      give such connections back, or a client, as soon as nothing is under way
 *   pool ► io   unlisten    stop listening, at once or once all who have come are served
 *   pool ► io   hush        stop reading plain text: TLS is about to start
 *   pool ► io   secure      start TLS on a hushed connection
 *   pool ► io   share       it serves many at once, and no lease: nothing has to be known of its messages
 *   pool ► io   holder      ring this doorbell for the channels of an attached thread, or forget it
 *   pool ► io   denied      what egress rules deny whatever they allow, from now on
 *   pool ► io   lookUp      look a name up again that connections were dialled by
 *   pool ► io   egress      what egress rules allow, and who is asked for names, from the next dial on
 *   pool ► io   stop        destroy all sockets and end the thread
 *   io ► pool   ready       the thread has started, and obeys
 *   io ► pool   opened      the connection of a channel is ready
 *   io ► pool   failed      it could not be made, and the channel is free
 *   io ► pool   listening   the listener is bound, to these addresses
 *   io ► pool   unlistened  the listener could not be bound, or is closed
 *   io ► pool   incoming    an accepted connection waits to be adopted or refused
 *   io ► pool   departed    an accepted connection that waits sends nothing more, or is gone
 *   io ► pool   unspliced   a joined client is done with its lease, or could not be joined
 *   io ► pool   moved       so many bytes have passed between those that are joined
 *   io ► pool   wanted      so many clients at a desk wait for a connection
 *   io ► pool   returned    a connection that was lent is done with
 *   io ► pool   strayed     a client is served at its desk no more, and what it has asked is under way there
 *   io ► pool   hushed      nothing more is read; these bytes had no room in the ring
 *   io ► pool   secured     TLS is up
 *   io ► pool   unsecured   it is not, and the connection is destroyed
 *   io ► pool   dropped     so many clients of a listener were disconnected, because too many waited already
 *   io ► pool   fault       a fault of ours ends one connection; its channel tells when it is gone
 *   io ► pool   mishandled  a fault of ours in a message or a look of the thread's own, and no answer could say so
 *   io ► pool   found       what the name is now
 *   io ► pool   unfound     nobody says
 *   io ► pool   decision    what the egress judge decided of one dial, for the log
 *
 * A channel serves many connections one after another; `generation` says which one a message means. A dial is
 * given up by shutting its channel with `abort`. Listeners are numbered by the pool's thread, what they accept by
 * the worker.
 */
import type { Dialog, DialogModule } from '../base/dialog-data.ts'
import type { Decision, EgressRulesData, NameAnswer } from '../base/egress-data.ts'
import type { ErrorFields } from '../base/errors.ts'
import type { Succession } from '../base/succession.ts'
import type { TlsClient, TlsFacts, TlsServer, TlsSide } from '../base/tls-data.ts'
import type { ChannelMemory } from '../channel/channel.ts'
import type { DoorbellMemory } from '../channel/doorbell.ts'
import type { VitalsMemory } from '../channel/vitals.ts'
import type { CallerMessage } from '../frames/frame.ts'
import type { FrameSpec } from '../frames/frame-spec.ts'

export type { NameAnswer } from '../base/egress-data.ts'
export type { TlsClient, TlsFacts, TlsServer, TlsSide } from '../base/tls-data.ts'

/** What an I/O worker is started with. */
export type IoWorkerData = {
  readonly index: number
  /** The worker's own doorbell, the pool's, and what the worker counts. */
  readonly doorbell: DoorbellMemory
  readonly poolDoorbell: DoorbellMemory
  readonly vitals: VitalsMemory
  readonly egress: EgressData
  /** The threads that were attached to the pool when this worker was started. */
  readonly holders: ReadonlyMap<number, DoorbellMemory>
}

export type EgressData = EgressRulesData & { readonly dnsServers: readonly string[] }

/** One place to dial; several are tried in order. */
export type Place = { readonly host: string; readonly port: number }

/** Everything that shapes a connection; it is the pool's key, together with the tenant. */
export type Dial = {
  readonly places: readonly Place[]
  readonly tls: TlsClient | null
  /** On whose word: the operator's config, or the egress rules for a caller's target. */
  readonly authority: 'operator' | 'rules'
  readonly tenant: string
  readonly onConnect: Dialog | DialogModule
  readonly onRelease: Dialog
  /** Run on an idle connection when the pool asks; default: none, and only silence is looked for. */
  readonly probe?: Dialog | undefined
  /** What `{frame: true}` awaits in these dialogs. */
  readonly frame?: FrameSpec | undefined
  /** Requests and answers are counted by the frame, where it can: they show whether the connection may serve again. */
  readonly isCounted?: boolean | undefined
  /** A unix socket in place of `places`; only a program that uses the library can name one. */
  readonly path?: string | undefined
  /** The address to dial from, as text. */
  readonly localAddress?: string | undefined
  /** Milliseconds until the next address is tried beside the one under way; without it one after another. */
  readonly happyEyeballsDelayMs?: number | undefined
}

/** What to bind. */
export type ListenSpec = {
  readonly where:
    | {
        readonly kind: 'tcp'
        /** Names and addresses; an empty one means all interfaces. */
        readonly hosts: readonly string[]
        readonly port: number
      }
    | {
        readonly kind: 'unix'
        readonly path: string
        /** Remove the socket's file at the end, unless it is another's by then. */
        readonly cleanup: boolean
      }
  readonly backlog: number
  readonly reusePort: boolean
  /** What a listener of this process has bound there, which goes on until this one listens. */
  readonly succeeds?: Succession | undefined
  /** Accepted ones are read while they wait, and it is told that they have ended or gone: for those to be joined. */
  readonly isWatched?: boolean | undefined
  readonly tls: TlsServer | null
  /** Milliseconds until a client has to be done with the TLS handshake. */
  readonly handshakeTimeoutMs: number
}

/** Where a server listens. A unix socket has its path as `address` and the port 0. */
export type BoundAddress = {
  readonly address: string
  readonly port: number
  readonly family: 'IPv4' | 'IPv6' | 'unix'
}

export type ListenMessage = OfListener & { readonly kind: 'listen'; readonly spec: ListenSpec }
export type ServeMessage = OfListener & { readonly kind: 'serve' }
export type AdoptMessage = OfListener & {
  readonly kind: 'adopt'
  readonly incoming: number
  readonly memory: ChannelMemory
  readonly generation: number
}
export type RefuseMessage = OfListener & { readonly kind: 'refuse'; readonly incoming: number }
/** What a client and a leased connection are joined under. */
export type SpliceTerms = {
  /** Once messages or a dialog prove that nothing is owed, the connection outlasts its client. */
  readonly reuses: boolean
  /** An end of TLS without close_notify is passed on as if it were one. */
  readonly allowTruncated: boolean
}

export type SpliceMessage = OfListener &
  OfChannel & { readonly kind: 'splice'; readonly incoming: number; readonly terms: SpliceTerms }
/** `frame`: how its messages are cut; null: there is no such desk any more. */
export type DeskMessage = OfDesk & { readonly kind: 'desk'; readonly frame: FrameSpec | null }
/** `served`: bytes of the client that were dealt with, since it began. */
export type AttendMessage = OfDesk & OfChannel & { readonly kind: 'attend'; readonly served: number }
export type LendMessage = OfDesk & OfChannel & { readonly kind: 'lend' }
/** `what`: all connections that are lent, all clients that wait for one, or a client. */
export type RecallMessage = OfDesk & {
  readonly kind: 'recall'
  readonly what: 'lent' | 'waiting' | OfChannel
}
/** `isOrderly`: those who have come are served before. */
export type UnlistenMessage = OfListener & { readonly kind: 'unlisten'; readonly isOrderly: boolean }
export type HushMessage = OfChannel & { readonly kind: 'hush' }
export type ShareMessage = OfChannel & { readonly kind: 'share' }

export type SecureMessage = OfChannel & {
  readonly kind: 'secure'
  readonly as: TlsSide
  readonly timeoutMs: number
}

/** Which connection of which channel a message means. */
export type OfChannel = { readonly channel: number; readonly generation: number }
type OfListener = { readonly listener: number }
/** Desks are numbered by the pool's thread. */
type OfDesk = { readonly desk: number }

export type OpenMessage = {
  readonly kind: 'open'
  readonly memory: ChannelMemory
  readonly generation: number
  readonly dial: Dial
  readonly connectTimeoutMs: number
}

/** `holder` is what the channels' word of that name says; null: that thread is gone. */
export type HolderMessage = {
  readonly kind: 'holder'
  readonly holder: number
  readonly doorbell: DoorbellMemory | null
}

export type DeniedMessage = { readonly kind: 'denied'; readonly denied: EgressRulesData['denied'] }

/** `known`: the addresses of those connections, as text. */
export type LookUpMessage = {
  readonly kind: 'lookUp'
  readonly request: number
  readonly name: string
  readonly known: readonly string[]
}

export type EgressMessage = { readonly kind: 'egress' } & Pick<EgressData, 'allow' | 'dnsServers'>
export type StopMessage = { readonly kind: 'stop' }
export type ToIoWorker =
  | OpenMessage
  | ListenMessage
  | ServeMessage
  | AdoptMessage
  | RefuseMessage
  | SpliceMessage
  | DeskMessage
  | AttendMessage
  | LendMessage
  | RecallMessage
  | UnlistenMessage
  | HushMessage
  | ShareMessage
  | SecureMessage
  | HolderMessage
  | DeniedMessage
  | LookUpMessage
  | EgressMessage
  | StopMessage

/** A unix socket's path stands as the address of the end that has one, with the port 0. */
export type SocketFacts = {
  readonly localAddress: string
  readonly localPort: number
  readonly remoteAddress: string
  readonly remotePort: number
  readonly tls: TlsFacts | null
}

export type OpenedMessage = {
  readonly kind: 'opened'
  readonly channel: number
  readonly generation: number
  readonly facts: SocketFacts
  /** Of a dial: which of its places it is connected to; those before it have failed. */
  readonly place?: number | undefined
}

export type FailedMessage = {
  readonly kind: 'failed'
  readonly channel: number
  readonly generation: number
  readonly error: ErrorFields
  /** Of a dial: the last of its places that was tried. */
  readonly place?: number | undefined
  /** How each attempt failed, where there were several. */
  readonly attempts?: readonly ErrorFields[] | undefined
}

export type ListeningMessage = OfListener & {
  readonly kind: 'listening'
  readonly addresses: readonly BoundAddress[]
  readonly succession: Succession | null
}
export type UnlistenedMessage = OfListener & {
  readonly kind: 'unlistened'
  /** Why it could not be bound; null: it was closed as asked. */
  readonly error: ErrorFields | null
}
export type IncomingMessage = OfListener & {
  readonly kind: 'incoming'
  readonly incoming: number
  /** Of a watched listener: where the client is, and where it came to. */
  readonly from?: ClientFacts | undefined
}
export type DepartedMessage = OfListener & {
  readonly kind: 'departed'
  readonly incoming: number
  /** `ended`: it sends nothing more, and may still listen. */
  readonly how: 'ended' | 'gone'
}

/** The two ends of an accepted connection, as SocketFacts has them. */
export type ClientFacts = Omit<SocketFacts, 'tls'>

/** Bytes from the target, and to it, since the two were joined, or the client is at a desk. */
export type MovedBytes = { readonly bytesIn: number; readonly bytesOut: number }

/** The connection is as good as its messages say, and serves its lease on; it is to be released, or closed where it was `lost`. */
export type UnsplicedMessage = OfChannel &
  MovedBytes & { readonly kind: 'unspliced'; readonly how: 'freed' | 'lost' }
export type MovedMessage = { readonly kind: 'moved'; readonly pairs: readonly (OfChannel & MovedBytes)[] }
export type WantedMessage = OfDesk & { readonly kind: 'wanted'; readonly carriers: number }
/** `isAtRest`: all that it carried is answered, and nothing else came. */
export type ReturnedMessage = OfDesk & OfChannel & { readonly kind: 'returned'; readonly isAtRest: boolean }
/** What of it is not answered yet; `carrier`: where it was asked. The bytes of either that nobody has seen are in its ring. */
export type StrayedMessage = OfDesk &
  OfChannel &
  MovedBytes & {
    readonly kind: 'strayed'
    readonly asked: readonly CallerMessage[]
    readonly carrier: OfChannel | null
  }
export type HushedMessage = OfChannel & { readonly kind: 'hushed'; readonly bytes: Uint8Array }
export type SecuredMessage = OfChannel & { readonly kind: 'secured'; readonly facts: SocketFacts }
export type UnsecuredMessage = OfChannel & { readonly kind: 'unsecured'; readonly error: ErrorFields }

/** Disconnected since the last such message: too many were in their handshake, or waited to be adopted. */
export type DroppedMessage = OfListener & { readonly kind: 'dropped'; readonly clients: number }

export type FaultMessage = OfChannel & { readonly kind: 'fault'; readonly error: ErrorFields }
export type MishandledMessage = {
  readonly kind: 'mishandled'
  /** What was being done: a message, a look at the doorbell, or the look that a timer takes once a second. */
  readonly message: ToIoWorker['kind'] | 'bell' | 'sweep'
  readonly error: ErrorFields
}

export type FoundMessage = { readonly kind: 'found'; readonly request: number; readonly answer: NameAnswer }
export type UnfoundMessage = {
  readonly kind: 'unfound'
  readonly request: number
  readonly error: ErrorFields
}
export type ReadyMessage = { readonly kind: 'ready' }
export type DecisionMessage = { readonly kind: 'decision'; readonly decision: Decision }
export type FromIoWorker =
  | ReadyMessage
  | OpenedMessage
  | FailedMessage
  | ListeningMessage
  | UnlistenedMessage
  | IncomingMessage
  | DepartedMessage
  | UnsplicedMessage
  | MovedMessage
  | WantedMessage
  | ReturnedMessage
  | StrayedMessage
  | HushedMessage
  | SecuredMessage
  | UnsecuredMessage
  | DroppedMessage
  | FaultMessage
  | MishandledMessage
  | FoundMessage
  | UnfoundMessage
  | DecisionMessage
