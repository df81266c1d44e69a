/**
 * Every message between the pool's thread and an I/O worker, in one file. Messages open connections;
 * everything that happens to an open connection (bytes, ends, leases, verdicts) goes through the words of its
 * channel and the doorbells.
 *
 *   direction   kind      purpose
 *   pool ► io   open      dial, run the dialog, and serve the channel until the connection ends
 *   pool ► io   denied    what egress rules deny whatever they allow, from now on
 *   pool ► io   stop      destroy all sockets and end the thread
 *   io ► pool   opened    the connection of a channel is ready
 *   io ► pool   failed    it could not be made, and the channel is free
 *   io ► pool   decision  what the egress judge decided of one dial, for the log
 *
 * A channel serves many connections one after another; `generation` says which one a message means. A dial is
 * given up by shutting its channel with `abort`.
 */
import type { ErrorFields } from '../base/errors.ts'
import type { ChannelMemory } from '../channel/channel.ts'
import type { DoorbellMemory } from '../channel/doorbell.ts'
import type { VitalsMemory } from '../channel/vitals.ts'
import type { Decision } from '../egress/decision.ts'
import type { EgressRulesData } from '../egress/egress-rules.ts'

/** What an I/O worker is started with. */
export type IoWorkerData = {
  readonly index: number
  /** The worker's own doorbell, the pool's, and what the worker counts. */
  readonly doorbell: DoorbellMemory
  readonly poolDoorbell: DoorbellMemory
  readonly vitals: VitalsMemory
  readonly egress: EgressData
}

export type EgressData = EgressRulesData & { readonly dnsServers: readonly string[] }

/** One place to dial; several are tried in order. */
export type Place = { readonly host: string; readonly port: number }

export type TlsClient = {
  readonly servername?: string | undefined
  readonly ca?: string | undefined
  readonly cert?: string | undefined
  readonly key?: string | undefined
  readonly alpn?: readonly string[] | undefined
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3' | undefined
}

/** One step of a dialog, as bytes. */
export type DialogStep = { readonly send: Uint8Array } | { readonly expect: Uint8Array }

export type Dialog = readonly DialogStep[]

/** Everything that shapes a connection; it is the pool's key, together with the tenant. */
export type Dial = {
  readonly places: readonly Place[]
  readonly tls: TlsClient | null
  /** On whose word: the operator's config, or the egress rules for a caller's target. */
  readonly authority: 'operator' | 'rules'
  readonly tenant: string
  readonly onConnect: Dialog
  readonly onRelease: Dialog
}

export type OpenMessage = {
  readonly kind: 'open'
  readonly memory: ChannelMemory
  readonly generation: number
  readonly dial: Dial
  readonly connectTimeoutMs: number
}

export type DeniedMessage = { readonly kind: 'denied'; readonly denied: EgressRulesData['denied'] }
export type StopMessage = { readonly kind: 'stop' }
export type ToIoWorker = OpenMessage | DeniedMessage | StopMessage

/** What TLS came to. `peercert` has the certificate's plain fields only. */
export type TlsFacts = {
  readonly protocol: string
  readonly cipher: string
  readonly alpnProtocol: string | null
  readonly authorized: boolean
  readonly servername: string | null
  readonly peercert: Readonly<Record<string, string>>
}

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
}

export type FailedMessage = {
  readonly kind: 'failed'
  readonly channel: number
  readonly generation: number
  readonly error: ErrorFields
}

export type DecisionMessage = { readonly kind: 'decision'; readonly decision: Decision }
export type FromIoWorker = OpenedMessage | FailedMessage | DecisionMessage
