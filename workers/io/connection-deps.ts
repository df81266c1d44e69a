/** What a connection is given by its I/O worker. */
import type { Channel } from '../../src/channel/channel.ts'
import type { TurnRinger } from '../../src/channel/doorbell.ts'
import type { Vitals } from '../../src/channel/vitals.ts'
import type { HolderBells } from './holder-bells.ts'
import type { MessageBalance } from './message-balance.ts'

export type ConnectionDeps = {
  readonly channel: Channel
  readonly generation: number
  /** The pool thread's doorbell, and those of whoever holds a channel. */
  readonly pool: TurnRinger
  readonly holders: HolderBells
  readonly vitals: Vitals
  /** Counts its requests and answers; null where nobody asks for the count, or it cannot be had. */
  readonly balance: MessageBalance | null
  /** One buffer per worker: a read is over before the next one begins. */
  readonly scratch: Buffer
  /** Milliseconds that a close may take in all, and the kernel for the last bytes of a released lease. */
  readonly closeLingerMs: number
  /** Wakes this thread's own look at its doorbell: it is awake anyway. */
  readonly stir: () => void
  /** The connection ends for this fault of ours. */
  readonly onFault: (error: unknown) => void
  /** The socket is gone and the channel's last word is published. */
  readonly onGone: () => void
}
