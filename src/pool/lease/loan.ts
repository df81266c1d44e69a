/** The reading end of a lease lent to another thread for one piece of work, and what becomes of it. */
import { endedChannel } from '../../channel/slab.ts'
import { goneError } from '../../streams/channel-ends/channel-end.ts'
import type { LentSource, LoanResult } from '../../streams/channel-ends/lent-source.ts'
import type { LendResult } from '../../streams/reading/pending-read.ts'
import type { LeaseEnds } from './lease-ends.ts'
import type { LeaseKeeper, LoanWork } from './lease-keeper.ts'
import type { ParseCall } from './parse-port.ts'

/**
 * Lends, awaits the work, and takes up reading where it left off. A borrower that died, or was ended while it read, ends
 * the lease: nobody knows what it read.
 */
export async function lendEnd(
  keeper: LeaseKeeper,
  ends: LeaseEnds,
  work: LoanWork,
  call: ParseCall,
): Promise<LendResult> {
  const { source } = ends
  const lent = lentSource(keeper, ends)
  const result = await keeper.lend(lent, work, call)
  const { reader, outcome } = result
  // The lease may have ended meanwhile; then its source takes nothing back.
  const gone = keeper.isEnding ? 'released' : keeper.gone
  switch (reader.kind) {
    case 'returned':
      source.resume(reader.returned.position)
      break
    case 'untouched':
      source.resume(lent.position)
      break
    case 'lost':
      keeper.kill('killed')
      break
    default:
      reader satisfies never
  }
  const tells = gone === null || isHung(result)
  return {
    count: reader.kind === 'returned' ? reader.returned.count : 0,
    interrupted: isInterrupted(result),
    outcome: tells ? outcome : { ok: false, error: goneError(gone) },
  }
}

/** Plain data of the reading end as it stands. A connection that is gone has a channel for it that has ended likewise. */
function lentSource(keeper: LeaseKeeper, { source, onReset }: LeaseEnds): LentSource {
  const { connection, lost } = keeper
  const position = source.suspend()
  const channel = lost === null ? connection.channel : endedChannel(lost)
  const epoch = lost === null ? keeper.epoch : channel.epoch
  return { memory: channel.memory, epoch, doorbell: connection.doorbell, position, onReset }
}

/** Whether nobody knows any more which answer belongs to which question: not so where the work was refused at once. */
function isInterrupted({ reader, outcome }: LoanResult): boolean {
  if (reader.kind === 'returned') return reader.returned.interrupted || !outcome.ok
  return !outcome.ok && (outcome.error.code === 'ABORTED' || outcome.error.code === 'PARSE_TIMEOUT')
}

/** Its own time-out tells more of a borrower that heeds nothing than that the lease has ended meanwhile. */
function isHung({ reader, outcome }: LoanResult): boolean {
  return reader.kind === 'lost' && !outcome.ok && outcome.error.code === 'PARSE_TIMEOUT'
}
