/** What the ends of a lease hear and tell, whether their calls block or not. How they read and write is their own. */
import type { GoneReason } from '../../base/errors.ts'
import type { EndName } from '../../channel/values.ts'
import { assertOwned, isRevoked, type StreamEnd } from '../../streams/byte-source.ts'
import { RevokedEnd } from '../../streams/channel-ends/channel-end.ts'
import type { EndPair } from '../../streams/channel-ends/end-pair.ts'
import type { LeaseActivity } from './lease-clock.ts'
import type { LeaseHolder } from './lease-keeper.ts'

export abstract class HeldEnds implements LeaseHolder {
  abstract readonly activity: LeaseActivity
  abstract readonly reader: { readonly offset: number }
  abstract readonly writer: { readonly offset: number }
  readonly #pair: EndPair
  /** The lease ended when its connection had broken. */
  #brokeFirst = false

  constructor(pair: EndPair) {
    this.#pair = pair
  }

  /** Only ends whose reads can be repeated keep any. */
  get replayBytes(): number {
    return 0
  }

  get bytesIn(): number {
    return this.reader.offset
  }

  get bytesOut(): number {
    return this.writer.offset
  }

  abstract isSpent(how: EndName | null): boolean

  /** The channel tells of the end of a lease before any message does. Errors: LEASE_GONE. */
  assertHeld(): void {
    assertOwned(this.#pair.end)
  }

  rung(): void {
    this.#pair.rung()
  }

  broke(): void {
    this.#pair.lost('corrupt')
  }

  lost(how: EndName): void {
    this.#pair.lost(how)
  }

  ended(reason: GoneReason): void {
    const { end } = this.#pair
    this.#brokeFirst = end !== null && !isRevoked(end)
    this.#pair.revoke(new RevokedEnd(reason))
  }

  /** How the connection has ended, as far as it shows here, or null. */
  protected get end(): StreamEnd | null {
    return this.#pair.end
  }

  /** TLS did not come about: both ends fail with the error, but for those of a lease that has ended. */
  protected failed(error: Error): void {
    if (!isRevoked(this.#pair.end)) this.#pair.revoke({ kind: 'failed', error })
  }

  /** Throws what a call is to hear that failed: whichever was first is why, the lease that ended or the connection. */
  protected rethrow(error: unknown): never {
    if (!this.#brokeFirst) this.assertHeld()
    throw error
  }
}
