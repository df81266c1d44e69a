/** One lease in the hands of an HTTP caller: one read at a time, and writes in turn. */
import { type GoneReason, SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import { remainingMs, type WaitOptions } from '../../base/wait.ts'
import type { LeasePort } from '../ports.ts'
import { CallTurns } from './call-turns.ts'

type ReleaseResult = Awaited<ReturnType<LeasePort['release']>>

/** Gets a failure that no caller awaits. */
export type OnFault = (error: unknown) => void

export class CallerLease {
  readonly lease: LeasePort
  readonly tenant: string
  /** `server`: the connection came to us. */
  readonly side: 'client' | 'server'
  readonly #onFault: OnFault
  readonly #reads = new CallTurns('read', 'READ_TIMEOUT')
  readonly #writes = new CallTurns('write', 'DRAIN_TIMEOUT')
  #isReading = false
  #firstAnswer: object | null = null

  constructor(lease: LeasePort, tenant: string, onFault: OnFault, side: 'client' | 'server' = 'client') {
    this.lease = lease
    this.side = side
    this.tenant = tenant
    this.#onFault = onFault
  }

  /** What the first request for the lease was answered, which a repeat of it is answered too. */
  firstAnswer(make: (lease: LeasePort) => object): object {
    this.#firstAnswer ??= make(this.lease)
    return this.#firstAnswer
  }

  /**
   * Runs a read that may be a repeat, with the wait that is left to it. On a lease that keeps what it has read, one that
   * names its offset waits for the call that runs: it may be the very one that it repeats, whose client is gone.
   *
   * Errors: as `read`; also READ_TIMEOUT, ABORTED, QUEUE_FULL while it waits for its turn.
   */
  async readFrom<T>(
    name: string,
    offset: number | undefined,
    wait: WaitOptions,
    run: (left: WaitOptions) => Promise<T>,
  ): Promise<T> {
    const isRepeatable = offset !== undefined && this.lease.replay
    // What reads on and on, and has no turn, ends for nobody.
    if (this.#reads.isTaken ? !isRepeatable : this.#isReading) throw readBusy()
    const startedMs = performance.now()
    return await this.#reads.take(wait, () => {
      const { signal, timeoutMs } = wait
      const leftMs = remainingMs(timeoutMs, startedMs, performance.now())
      return this.read(name, () => run({ signal, timeoutMs: leftMs, allowedMs: timeoutMs }))
    })
  }

  /**
   * Runs one read. Two at once could not tell their offsets.
   *
   * Errors: READ_BUSY while another read runs, LEASE_GONE, and those of `run`; but CONNECTION_RESET only the first time,
   * and LEASE_GONE from then on. What came before the connection broke stays readable.
   */
  async read<T>(name: string, run: () => Promise<T>): Promise<T> {
    this.assertNotReading()
    this.#isReading = true
    try {
      return await this.lease.operation(name, run)
    } catch (error) {
      if (error instanceof SockpoolError && error.code === 'CONNECTION_RESET' && !this.tellBreak())
        throw goneError('reset')
      throw error
    } finally {
      this.#isReading = false
    }
  }

  /** Errors: READ_BUSY while a read runs, or a stream is open. */
  assertNotReading(): void {
    if (this.#isReading) throw readBusy()
  }

  /** Takes the one chance to tell that the connection broke; false where a read has told it already. */
  readonly tellBreak: () => boolean = once()

  /**
   * Gives the connection back. Where its last bytes still wait for a peer that does not take them, the answer does not
   * wait for them: the connection is lost to the pool either way, and sends them, or gives up, by itself.
   */
  async release(): Promise<ReleaseResult> {
    const released = this.lease.release()
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<ReleaseResult>(resolve => {
      timer = setTimeout(() => {
        if (this.lease.writer.isClosing()) resolve({ outcome: 'closed', reason: 'unsent' })
      }, LIMITS.releaseAnswerMs)
    })
    try {
      return await Promise.race([released, late])
    } finally {
      clearTimeout(timer)
    }
  }

  /**
   * Runs one write when all before it have ended. Two at once would mix their chunks.
   *
   * Errors: DRAIN_TIMEOUT, ABORTED or QUEUE_FULL while it waits for its turn, LEASE_GONE, and those of `run`.
   */
  write<T>(name: string, wait: WaitOptions, run: () => Promise<T>): Promise<T> {
    return this.#writes.take(wait, () => this.lease.operation(name, run))
  }

  /** Runs `run` once the lease has ended. Nobody awaits it, so what it throws goes to `onFault`. */
  whenEnded(run: (reason: GoneReason) => void): void {
    this.lease.ended.then(run).catch(this.#onFault)
  }
}

function readBusy(): SockpoolError {
  return new SockpoolError('READ_BUSY', 'another read of this lease is running; wait until it has ended')
}

/** What every call on a lease that has ended fails with. */
export function goneError(reason: GoneReason): SockpoolError {
  return new SockpoolError('LEASE_GONE', `this lease has ended: ${reason}`, { reason })
}

/** True the first time it is called. It holds nothing of the lease: a tombstone keeps it for minutes. */
function once(): () => boolean {
  let isOver = false
  return () => {
    const isFirst = !isOver
    isOver = true
    return isFirst
  }
}
