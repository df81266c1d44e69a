/** Gives a lease back by its holder's word. */
import { LIMITS } from '../../base/limits.ts'
import type { Refusal, ReleaseResult } from '../target/release-result.ts'
import type { HeldBack, LeaseEnds } from './lease-ends.ts'
import type { LeaseKeeper } from './lease-keeper.ts'

/** What a lease was handed over to. */
type HandedOver = { readonly heldBack: HeldBack | null; letGo(): void }

/**
 * Judges how the lease was used, has its last bytes sent where it closes, and ends it. It never rejects: what fails here
 * is a fault of ours, which closes the connection and is told to the pool's owner.
 */
export function releaseLease(
  keeper: LeaseKeeper,
  ends: LeaseEnds,
  stream: HandedOver | null = null,
): Promise<ReleaseResult> {
  try {
    const refusal = ends.reasonToClose(keeper.terms.reuse, stream?.heldBack ?? null)
    stream?.letGo()
    // Nothing is left to be sent, and nothing to wait for.
    if (refusal === null && !ends.writer.isClosing()) return keeper.giveBack(null, false)
    return releaseToClose(keeper, ends, refusal)
  } catch (error) {
    keeper.fault(error)
    return keeper.giveBack('error', false)
  }
}

/** As `releaseLease`, for a connection that is not to serve again. */
async function releaseToClose(
  keeper: LeaseKeeper,
  ends: LeaseEnds,
  refusal: Refusal | null,
): Promise<ReleaseResult> {
  try {
    keeper.beginRelease()
    const { writer } = ends
    // It will not serve again, but what its holder wrote was accepted and still goes out.
    if (refusal !== null && keeper.lost === null && writer.buffered > 0) writer.close()
    if (!writer.isClosing()) return await keeper.giveBack(refusal, false)
    if (writer.queued === 0) return await keeper.giveBack(refusal, true)
    // The part beyond the ring only this writer can send. Then the connection is closed, or its time is up.
    await writer.waitClosed({ timeoutMs: LIMITS.closeLingerMs }).catch(() => 'the result tells')
    return await keeper.giveBack(refusal, false)
  } catch (error) {
    keeper.fault(error)
    return await keeper.giveBack('error', false)
  }
}
