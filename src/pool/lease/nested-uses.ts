/**
 * Which leases the calls around this one hold. A `use` inside a `use` that waits for what the outer ones hold themselves
 * would wait for nothing: none of them ends before it does.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { SockpoolError } from '../../base/errors.ts'

/** A lease, as far as it matters here. */
type UsedLease = { readonly target: string; readonly gone: string | null }

type Frame = { readonly lease: UsedLease; readonly outer: Frame | undefined }

export class NestedUses {
  readonly #frames = new AsyncLocalStorage<Frame>()

  /** Runs what uses the lease. Errors: those of `run`. */
  run<T>(lease: UsedLease, run: () => Promise<T>): Promise<T> {
    return this.#frames.run({ lease, outer: this.#frames.getStore() }, run)
  }

  /** Errors: WOULD_DEADLOCK where the calls around this one hold all `max` connections of the target. */
  assertNotStarved(target: string, max: number): void {
    let held = 0
    for (let frame = this.#frames.getStore(); frame !== undefined; frame = frame.outer)
      if (frame.lease.target === target && frame.lease.gone === null) held++
    if (held < max) return
    const what = `the calls around this one hold all ${max} connections that the target may have`
    throw new SockpoolError('WOULD_DEADLOCK', what)
  }
}
