/**
 * What goes between a test and the thread that makes its blocking calls, one after the other. Each message has one
 * answer.
 *
 *   lend    a reading end, to read it
 *   lease   a connection of the pool
 *   dial    a lease of a described target
 *   call    a member of reader or writer: its result, or what it is
 *   give    a lease back: for others (`release`), or to be closed (`discard`)
 *   end     nothing follows
 */
import type { ErrorFields } from '../../../src/base/errors.ts'
import type { LentSource } from '../../../src/streams/channel-ends/lent-source.ts'
import type { PoolHandle } from '../../../src/threads/attach-protocol.ts'
import type { OpenOptions } from '../transport.ts'

export type TwinSetUp = { readonly handle: PoolHandle | null }

/** How far the peer is: what the thread waits for before it makes a call. */
export type PeerProgress = {
  /** Bytes that a read could have by now. */
  readonly arrived: number
  readonly hasEnded: boolean
}

export type TwinAsk =
  | { readonly kind: 'lend'; readonly lent: LentSource; readonly options: OpenOptions }
  | { readonly kind: 'lease'; readonly options: OpenOptions }
  | { readonly kind: 'dial'; readonly port: number }
  | {
      readonly kind: 'call'
      readonly twins: number
      readonly end: 'reader' | 'writer' | 'lines'
      readonly member: string
      readonly args: readonly unknown[]
      readonly progress: PeerProgress
    }
  | { readonly kind: 'give'; readonly twins: number; readonly how: 'release' | 'discard' }
  | { readonly kind: 'end' }

/** The answer to `lend` and `lease`. `twins` numbers the reader, and the writer where there is one. */
export type TwinsData = { readonly twins: number; readonly localPort: number; readonly reused: boolean }

export type TwinQuestion = { readonly id: number; readonly ask: TwinAsk }

export type TwinAnswer = { readonly id: number } & (
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'error'; readonly error: ErrorFields }
  | { readonly kind: 'fault'; readonly name: string; readonly message: string }
)
