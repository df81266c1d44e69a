/** Joins a client that has waited with the connection of the lease that it got. */
import { invariant } from '../../../src/base/errors.ts'
import type { Channel } from '../../../src/channel/channel.ts'
import { isPeerEnd } from '../../../src/channel/values.ts'
import type { ConnectionLife } from '../connection-life.ts'
import type { Inflow } from '../inflow.ts'
import type { Outflow } from '../outflow.ts'
import { Splice, type SpliceDeps } from './splice.ts'

/** The client, what was agreed, and who hears that the two have parted, in whatever way. */
export type JoinRequest = Pick<SpliceDeps, 'client' | 'terms'> & {
  readonly onParted: (how: 'freed' | 'lost') => void
}

export type JoinedParts = Pick<SpliceDeps, 'balance' | 'hasDialog' | 'vitals' | 'scratch' | 'guard'> & {
  readonly channel: Channel
  readonly life: ConnectionLife
  readonly inflow: Inflow
  readonly outflow: Outflow
}

/** Null where the connection serves no lease, or has broken: the client is as it was. */
export function join(parts: JoinedParts, { onParted, ...request }: JoinRequest): Splice | null {
  const { channel, life, inflow, outflow } = parts
  const { state } = life
  const { end } = inflow
  // A peer that has ended may have said its piece before, which is for the client to hear.
  if (state.at !== 'leased' || !(end === 'open' || isPeerEnd(end)) || outflow.isUnsent) return null
  const { socket, epoch } = state
  const splice = new Splice({
    ...parts,
    ...request,
    socket,
    onFreed: () => {
      invariant(life.state.at === 'spliced', () => `a ${life.state.at} connection was freed`)
      life.enter({ at: 'leased', socket, epoch })
      onParted('freed')
    },
    onLost: () => onParted('lost'),
    onCut: () => life.destroy('closed'),
  })
  // Nobody else has an end of the ring: the lease is all in this thread.
  const unread = inflow.takeUnread(channel.inboundConsumer(channel.leaseTenure(epoch)))
  life.enter({ at: 'spliced', socket, epoch, splice })
  let flows = true
  for (const bytes of unread) flows = splice.received(bytes.length, bytes) && flows
  if (flows) socket.resume()
  splice.begin()
  if (end !== 'open') splice.ended(end)
  return splice
}
