/** What a connection is given by its I/O worker. */
import type { Channel } from '../../src/channel/channel.ts'
import type { TurnRinger } from '../../src/channel/doorbell.ts'
import type { Vitals } from '../../src/channel/vitals.ts'
import type { HolderBells } from './holder-bells.ts'

export type ConnectionParts = {
  readonly channel: Channel
  readonly generation: number
  /** The pool thread's doorbell, and those of whoever holds a channel. */
  readonly pool: TurnRinger
  readonly holders: HolderBells
  readonly vitals: Vitals
  /** One buffer per worker: a read is over before the next one begins. */
  readonly scratch: Buffer
  /** Wakes this thread's own look at its doorbell: it is awake anyway. */
  readonly stir: () => void
  /** The socket is gone and the channel's last word is published. */
  readonly onGone: () => void
}
