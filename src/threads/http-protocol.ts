/**
 * Every message between the service's main thread and a thread that serves HTTP, in one file. Requests go another way:
 * through the pool where the thread serves them itself, and through the main thread's private socket where it relays them.
 *
 *   direction        kind        purpose
 *   main ► thread    listen      bind the port; answered by `listening` or `failed`
 *   main ► thread    rules       who may come in, from now on *
 *   main ► thread    closing     the service drains: no new leases, and each answer is its connection's last *
 *   main ► thread    logged      the last `log` has been taken
 *   main ► thread    close       end what is under way, and then the thread
 *   thread ► main    listening   the port is bound
 *   thread ► main    failed      it could not be
 *   thread ► main    log         log lines, one batch at a time
 *   thread ► main    tunnel      a client's connection leaves HTTP, or asks to: the other end of the port that stands for it
 *
 *   * A notice: the thread takes it off its port before the next request, for the main thread raises `notices` with it.
 *     So it holds on all threads from the moment at which the main thread goes on.
 *
 * On the port of a tunnel, in both directions (`RelayedSocket`):
 *
 *   bytes       what is sent
 *   taken       so many of the bytes that came are on: as many more may be sent
 *   end         nothing is sent any more; the other direction goes on
 *   closed      the sender is gone; `isReset`: its last word is a reset
 */
import type { MessagePort } from 'node:worker_threads'
import type { HttpFiguresMemory } from '../channel/http-figures.ts'
import type { CountMemory } from '../channel/shared-count.ts'
import type { TallyMemories } from '../channel/shared-tallies.ts'
import type { TcpAddress } from '../config/address.ts'
import type { Config } from '../config/config.ts'
import type { PoolHandle } from './attach-protocol.ts'

/** What changes of the door while it runs: by a reload, and by who is in the fleet. */
export type HttpRulesData = {
  readonly auth: Config['auth']
  readonly hosts: readonly string[]
  /** Hosts of the members of the fleet, each as it is. */
  readonly members: readonly string[]
  readonly origins: readonly string[]
  readonly tls: Config['http']['tls']
  readonly accessLog: Config['http']['accessLog']
  readonly tallies: TallyMemories
}

/** What a thread is started with. */
export type HttpThreadData = {
  /** From 1: the main thread is 0. */
  readonly slot: number
  /** That count together, the main thread among them. */
  readonly slots: number
  readonly pool: PoolHandle
  /** Where the main thread takes relayed requests, and what proves that they are. */
  readonly relay: { readonly path: string; readonly secret: string }
  readonly rules: HttpRulesData
  readonly isClosing: boolean
  readonly listen: TcpAddress
  readonly limits: Pick<Config['limits'], 'bodyBytes' | 'operationTimeoutMs'>
  readonly headerBytesMax: number
  readonly connectionsMax: number
  readonly logLevel: string
  readonly telemetry: Config['telemetry']
  readonly notices: CountMemory
  /** Written by the thread: HTTP connections that are open, and requests that have come. */
  readonly connections: CountMemory
  readonly requests: CountMemory
  readonly figures: HttpFiguresMemory
}

export type ToHttpThread =
  | {
      readonly kind: 'listen'
      readonly hosts: readonly string[]
      readonly port: number
      /** Nobody else may have the port yet; what comes after shares it with this thread. */
      readonly isFirst: boolean
    }
  | { readonly kind: 'rules'; readonly rules: HttpRulesData }
  | { readonly kind: 'closing' }
  | { readonly kind: 'logged' }
  | { readonly kind: 'close' }

export type FromHttpThread =
  | { readonly kind: 'listening'; readonly address: string; readonly port: number }
  | { readonly kind: 'failed'; readonly message: string; readonly code: string | null }
  | { readonly kind: 'log'; readonly text: string }
  | { readonly kind: 'tunnel'; readonly port: MessagePort }

export type TunnelMessage =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly kind: 'taken'; readonly bytes: number }
  | { readonly kind: 'end' }
  | { readonly kind: 'closed'; readonly isReset: boolean }
