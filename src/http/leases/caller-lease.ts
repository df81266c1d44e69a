/** One lease in the hands of an HTTP caller: one read at a time, and writes in turn. */
import { type GoneReason, SockpoolError } from '../../base/errors.ts'
import type { WaitOptions } from '../../base/wait.ts'
import type { LeasePort } from '../ports.ts'
import { WriteTurns } from './write-turns.ts'

/** Gets a failure that no caller awaits. */
export type OnFault = (error: unknown) => void

export class CallerLease {
  readonly lease: LeasePort
  readonly tenant: string
  readonly #onFault: OnFault
  readonly #writes = new WriteTurns()
  #isReading = false

  constructor(lease: LeasePort, tenant: string, onFault: OnFault) {
    this.lease = lease
    this.tenant = tenant
    this.#onFault = onFault
  }

  /**
   * Runs one read. Two at once could not tell their offsets.
   *
   * Errors: READ_BUSY while another read runs, LEASE_GONE, and those of `run`.
   */
  async read<T>(name: string, run: () => Promise<T>): Promise<T> {
    if (this.#isReading)
      throw new SockpoolError('READ_BUSY', 'another read of this lease is running; wait until it has ended')
    this.#isReading = true
    try {
      return await this.lease.operation(name, run)
    } finally {
      this.#isReading = false
    }
  }

  /**
   * Runs one write when all before it have ended. Two at once would mix their chunks.
   *
   * Errors: DRAIN_TIMEOUT or ABORTED while it waits for its turn, LEASE_GONE, and those of `run`.
   */
  write<T>(name: string, wait: WaitOptions, run: () => Promise<T>): Promise<T> {
    return this.#writes.take(wait, () => this.lease.operation(name, run))
  }

  /** Runs `run` once the lease has ended. Nobody awaits it, so what it throws goes to `onFault`. */
  whenEnded(run: (reason: GoneReason) => void): void {
    this.lease.ended.then(run).catch(this.#onFault)
  }
}
