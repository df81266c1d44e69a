/**
 * A connection as the holder of its lease needs it, on whichever thread that is: an IoConnection on the pool's own,
 * on an attached thread what stands for it there.
 */
import type { IoConnection } from './io-connection.ts'

export type HeldConnection = Pick<
  IoConnection,
  'id' | 'channel' | 'ringer' | 'doorbell' | 'facts' | 'hold' | 'hush' | 'secure' | 'abort' | 'pin' | 'unpin'
>
