/**
 * The two ends of a channel for a thread that blocks on them. They wait in slices and look around between, so that a
 * thread does not wait for ever on a process half that has died.
 */
import { LIMITS } from '../../base/limits.ts'
import type { Channel } from '../../channel/channel.ts'
import type { Ringer } from '../../channel/doorbell.ts'
import type { BlockingSink } from '../byte-sink.ts'
import type { BlockingSource } from '../byte-source.ts'
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

  constructor(channel: Channel, ringer: Ringer, epoch: number, lookAround: LookAround) {
    super(channel, ringer, epoch)
    this.#lookAround = lookAround
  }

  override waitFor(count: number, timeoutMs: number): boolean {
    return inSlices(timeoutMs, sliceMs => super.waitFor(count, sliceMs), this.#lookAround)
  }
}

export class BlockingChannelSink extends ChannelSink implements BlockingSink {
  readonly #lookAround: LookAround

  constructor(channel: Channel, ringer: Ringer, epoch: number, lookAround: LookAround) {
    super(channel, ringer, epoch)
    this.#lookAround = lookAround
  }

  override waitFor(level: number, timeoutMs: number): boolean {
    return inSlices(timeoutMs, sliceMs => super.waitFor(level, sliceMs), this.#lookAround)
  }

  override waitEnd(timeoutMs: number): boolean {
    return inSlices(timeoutMs, sliceMs => super.waitEnd(sliceMs), this.#lookAround)
  }
}
