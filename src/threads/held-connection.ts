/**
 * A connection as the ends of a lease need it, on whichever thread they are: an IoConnection on the pool's own, on an
 * attached thread what stands for it there.
 */
import type { IoConnection } from './io-connection.ts'

export type HeldConnection = Pick<
  IoConnection,
  'id' | 'channel' | 'ringer' | 'doorbell' | 'facts' | 'hush' | 'secure' | 'abort'
>

/** As the record of a lease needs it. */
export type LeasedConnection = HeldConnection & Pick<IoConnection, 'hold' | 'fence' | 'pin' | 'unpin'>
