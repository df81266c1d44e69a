/**
 * The two ends of a channel for a thread that blocks on them. They wait in slices and look around between, so that a
 * thread does not wait for ever on a process half that has died; and they remember what a lease is judged by.
 */

import { LIMITS } from '../base/limits.ts'
import type { Channel } from '../channel/channel.ts'
import type { Ringer } from '../channel/doorbell.ts'
import type { BlockingSink } from './blocking-sink.ts'
import type { BlockingSource } from './blocking-source.ts'
import { ChannelSink } from './channel-sink.ts'
import { ChannelSource } from './channel-source.ts'

/** Called now and then while a thread blocks. It throws where the wait could never end. */
export type LookAround = () => void

/** True once `wait` is, false when the time has passed. */
function inSlices(timeoutMs: number, wait: (sliceMs: number) => boolean, lookAround: LookAround): boolean {
  const until = performance.now() + timeoutMs
  for (;;) {
    const leftMs = Math.max(0, until - performance.now())
    if (wait(Math.min(leftMs, LIMITS.sweepIntervalMs))) return true
    if (leftMs <= LIMITS.sweepIntervalMs) return false
    lookAround()
  }
}

export class BlockingChannelSource extends ChannelSource implements BlockingSource {
  readonly #lookAround: LookAround
  #taken = 0
  /** Of the available bytes the first so many were taken before, and put back. */
  #returned = 0
  #interrupted = false

  constructor(channel: Channel, ringer: Ringer, replay: number, lookAround: LookAround) {
    super(channel, ringer, replay)
    this.#lookAround = lookAround
  }

  /** Bytes taken since it began, less those put back: the stream offset of the next one. */
  get taken(): number {
    return this.#taken
  }

  /** Bytes taken since it began, each counted once, also where it was put back. */
  get seen(): number {
    return this.#taken + this.#returned
  }

  /** A wait ended before its bytes came, and none that are new have been taken since. */
  get interrupted(): boolean {
    return this.#interrupted
  }

  // `take` takes by this too.
  override takeInto(target: Buffer): void {
    super.takeInto(target)
    this.#moved(target.length)
  }

  override skip(count: number): void {
    super.skip(count)
    this.#moved(count)
  }

  override putBack(bytes: Uint8Array): void {
    super.putBack(bytes)
    this.#taken -= bytes.length
    this.#returned += bytes.length
  }

  override waitFor(count: number, timeoutMs: number): boolean {
    const before = this.#interrupted
    // Whatever ends the wait but its bytes, also an error from around, leaves an answer that may still come.
    this.#interrupted = true
    if (!inSlices(timeoutMs, sliceMs => super.waitFor(count, sliceMs), this.#lookAround)) return false
    this.#interrupted = before
    return true
  }

  #moved(count: number): void {
    const again = Math.min(count, this.#returned)
    this.#returned -= again
    this.#taken += count
    if (count > again) this.#interrupted = false
  }
}

export class BlockingChannelSink extends ChannelSink implements BlockingSink {
  readonly #lookAround: LookAround

  constructor(channel: Channel, ringer: Ringer, lookAround: LookAround) {
    super(channel, ringer)
    this.#lookAround = lookAround
  }

  override waitFor(level: number, timeoutMs: number): boolean {
    return inSlices(timeoutMs, sliceMs => super.waitFor(level, sliceMs), this.#lookAround)
  }

  override waitEnd(timeoutMs: number): boolean {
    return inSlices(timeoutMs, sliceMs => super.waitEnd(sliceMs), this.#lookAround)
  }
}
