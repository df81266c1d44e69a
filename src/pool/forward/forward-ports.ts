/** The I/O workers' listeners, as forwards need them. */
import type { StreamReader } from '../../streams/reading/stream-reader.ts'
import type { StreamWriter } from '../../streams/writing/stream-writer.ts'
import type { IoConnection } from '../../threads/io-connection.ts'
import type { BoundAddress, ListenSpec } from '../../threads/protocol.ts'
import type { OnIncoming } from '../../threads/thread-listeners.ts'

/** A bound listener. */
export interface BoundForward {
  readonly addresses: readonly BoundAddress[]
  /** Clients that the listener itself keeps count of. */
  readonly clients: number
  /** Announces what waits, and from now on what comes. */
  start(): void
  /** Resolves when nothing listens any more. */
  close(): Promise<void>
}

/** What is done with clients whose bytes come to this thread. */
export type ForwardServing = {
  readonly handle: (reader: StreamReader, writer: StreamWriter, connection: IoConnection) => Promise<void>
  readonly onError: (error: Error) => void
}

type OnFailed = (error: Error) => void

/** Both: Errors: LISTEN_FAILED, DNS_FAILED, WORKER_LOST, DRAINING. */
export interface ServingPort {
  /** Clients wait in their worker until they are joined with a connection there, or refused. */
  watch(spec: ListenSpec, onIncoming: OnIncoming, onFailed: OnFailed): Promise<BoundForward>
  /** Each client has a reader and a writer here. */
  serve(spec: ListenSpec, options: ForwardServing, onFailed: OnFailed): Promise<BoundForward>
}
