/** The reading end of a lease lent to another thread for one piece of work, and what becomes of it. */
import { copyError } from '../../base/errors.ts'
import { endedChannel } from '../../channel/slab.ts'
import { goneError, peerEndName } from '../../streams/channel-ends/channel-end.ts'
import type { LentSource, LoanResult, ReturnedSource } from '../../streams/channel-ends/lent-source.ts'
import type { SourcePosition } from '../../streams/channel-ends/source-position.ts'
import type { LendResult } from '../../streams/reading/pending-read.ts'
import type { LeaseEnds } from './lease-ends.ts'
import type { LeaseKeeper, LoanWork } from './lease-keeper.ts'
import type { ParseCall } from './parse-port.ts'

/**
 * Lends, awaits the work, and takes up reading where it left off. A borrower that died, or was ended while it read, ends
 * the lease: nobody knows what it read. `old`: bytes that were read before and come first, for a message that is read
 * again; they stay read, whatever the borrower takes of them.
 */
export async function lendEnd(
  keeper: LeaseKeeper,
  ends: LeaseEnds,
  work: LoanWork,
  call: ParseCall,
  old: Buffer,
): Promise<LendResult> {
  const lent = lentSource(keeper, ends)
  const { position } = lent
  const whole =
    old.length === 0 ? lent : { ...lent, position: { ...position, aside: [old, ...position.aside] } }
  const result = await keeper.lend(whole, work, call, ({ reader }) =>
    takeBack(ends, lent, reader, old.length),
  )
  const { reader } = result
  // The lease may have ended meanwhile; then its source has taken nothing back.
  const gone = keeper.isEnding ? 'released' : keeper.gone
  if (reader.kind === 'lost') keeper.kill('killed')
  const tells = gone === null || isHung(result)
  return {
    count: reader.kind === 'returned' ? Math.max(0, reader.returned.count - old.length) : 0,
    interrupted: isInterrupted(result),
    outcome: tells ? told(result) : { ok: false, error: goneError(gone) },
  }
}

/** `lent`: as the reading end stood. `oldBytes`: how many that were read before came first. */
function takeBack(
  { source }: LeaseEnds,
  lent: LentSource,
  reader: LoanResult['reader'],
  oldBytes: number,
): void {
  switch (reader.kind) {
    case 'returned':
      return source.resume(freshPosition(reader.returned, oldBytes))
    case 'untouched':
      return source.resume(lent.position)
    case 'lost':
      return
    default:
      reader satisfies never
  }
}

/** Where the borrower left off in bytes that are new: what it has taken, or left, of the old ones is nobody's. */
function freshPosition({ position, count }: ReturnedSource, oldBytes: number): SourcePosition {
  if (oldBytes === 0) return position
  const { kept } = position
  const freshBytes = Math.max(0, count - oldBytes)
  let left = Math.max(0, oldBytes - count)
  const aside = position.aside.map(piece => {
    const rest = piece.subarray(Math.min(left, piece.length))
    left -= piece.length - rest.length
    return rest
  })
  return {
    ...position,
    kept: kept.subarray(Math.max(0, kept.length - freshBytes)),
    aside: aside.filter(({ length }) => length > 0),
  }
}

/** A repeat begins where the borrower stopped: it is the same call only where nothing was read. */
function told({ reader, outcome }: LoanResult): LendResult['outcome'] {
  const isUnread = reader.kind === 'untouched' || (reader.kind === 'returned' && reader.returned.count === 0)
  if (outcome.ok || isUnread || !outcome.error.retryable) return outcome
  return { ok: false, error: copyError(outcome.error, false) }
}

/** Plain data of the reading end as it stands. A connection that is gone has a channel for it that has ended likewise. */
function lentSource(keeper: LeaseKeeper, { source, onReset }: LeaseEnds): LentSource {
  const { connection, lost } = keeper
  const { end } = source
  const position = source.suspend()
  const channel = lost === null ? connection.channel : endedChannel(peerEndName(end, lost))
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
