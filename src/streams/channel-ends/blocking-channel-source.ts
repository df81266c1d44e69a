/**
 * The reading end of a channel on its way to another thread and back. The descriptor names the shared memory and
 * where the reader stood in it; the borrower reads on from there, blocking, and gives back where it came to.
 */
import { Channel, type ChannelMemory } from '../../channel/channel.ts'
import { type DoorbellMemory, Ringer } from '../../channel/doorbell.ts'
import type { BlockingSource } from '../blocking/blocking-source.ts'
import type { OnReset } from '../reading/read-options.ts'
import { ChannelSource, type SourcePosition } from './channel-source.ts'

/** A reading end as plain data. */
export type LentSource = {
  readonly memory: ChannelMemory
  /** The doorbell of the I/O worker, which waits for room in the ring. */
  readonly doorbell: DoorbellMemory
  readonly position: SourcePosition
  /** What a read there does after the connection broke while bytes are still there. */
  readonly onReset: OnReset
}

/** Where the borrower left it, and how many bytes it took and did not put back. */
export type ReturnedSource = { readonly position: SourcePosition; readonly count: number }

/** A borrowed reading end; it counts what is taken. */
export class BorrowedSource extends ChannelSource implements BlockingSource {
  #count = 0

  constructor({ memory, doorbell, position }: LentSource) {
    super(new Channel(memory), Ringer.of(doorbell), position.replay, position.kept, position.front)
  }

  // `take` takes by this too.
  override takeInto(target: Buffer): void {
    this.#count += target.length
    super.takeInto(target)
  }

  override skip(count: number): void {
    this.#count += count
    super.skip(count)
  }

  override putBack(bytes: Uint8Array): void {
    super.putBack(bytes)
    this.#count -= bytes.length
  }

  giveBack(): ReturnedSource {
    return { position: this.suspend(), count: this.#count }
  }
}

/** Attaches a lent reading end to this thread, which may block on it. */
export function borrowSource(lent: LentSource): BorrowedSource {
  return new BorrowedSource(lent)
}
