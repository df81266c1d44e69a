/** What an operator may say to a pool while it runs, on whichever thread. */
import { CallBounds } from '../../base/call-bounds.ts'
import { optionsObject } from '../../base/options.ts'
import type { WaitOptions } from '../../base/wait.ts'
import type { ControlOrder } from './control-order.ts'
import { judgedResize, type Resize } from './resize.ts'
import type { ControlResult } from './target-control.ts'

/** How long a verb may wait for what it began. */
export type ControlOptions = Pick<WaitOptions, 'signal' | 'timeoutMs'>

export type KillResult = { readonly killed: 'connection' | 'lease' }

export abstract class OperatedPool {
  /** Has the order carried out. Errors: TARGET_NOT_FOUND, and those of the order. */
  protected abstract order(target: string, order: ControlOrder, bounds: CallBounds): Promise<ControlResult>

  /** Ends a connection, or what a lease holds, by its id. Errors: CONNECTION_NOT_FOUND. */
  abstract kill(id: string): Promise<KillResult>

  /**
   * Gives no connection of the target out until `resume`; callers wait, and leases go on. With `wait` it resolves when the
   * last lease is back. Errors: TARGET_NOT_FOUND; WAIT_TIMEOUT, ABORTED.
   */
  pause(target: string, options: ControlOptions & { readonly wait?: boolean } = {}): Promise<ControlResult> {
    const { wait, ...bounds } = optionsObject(options)
    return this.#order(target, { kind: 'pause', wait: wait === true }, bounds)
  }

  /** Ends a pause. Errors: TARGET_NOT_FOUND. */
  resume(target: string): Promise<ControlResult> {
    return this.#order(target, { kind: 'resume' })
  }

  /** Refuses callers, those who wait too, until `enable`; leases go on. Errors: TARGET_NOT_FOUND. */
  disable(target: string): Promise<ControlResult> {
    return this.#order(target, { kind: 'disable' })
  }

  /** Ends what `disable` or `drain` began. Errors: TARGET_NOT_FOUND. */
  enable(target: string): Promise<ControlResult> {
    return this.#order(target, { kind: 'enable' })
  }

  /**
   * Refuses callers and closes connections as they come back; resolves when none is left. Errors: TARGET_NOT_FOUND;
   * WAIT_TIMEOUT, ABORTED: it goes on.
   */
  drain(target: string, options: ControlOptions = {}): Promise<ControlResult> {
    return this.#order(target, { kind: 'drain' }, options)
  }

  /** Closes idle connections now and leased ones when they come back; callers get new ones. Errors: TARGET_NOT_FOUND. */
  reconnect(target: string): Promise<ControlResult> {
    return this.#order(target, { kind: 'reconnect' })
  }

  /** Resolves when no connection from before the last reconnect is left. Errors: as `drain`. */
  waitClose(target: string, options: ControlOptions = {}): Promise<ControlResult> {
    return this.#order(target, { kind: 'waitClose' }, options)
  }

  /** Changes the bounds of a target's pool; no lease is cut. Errors: TARGET_NOT_FOUND, INVALID_REQUEST. */
  async resize(target: string, changes: Resize): Promise<ControlResult> {
    return await this.#order(target, { kind: 'resize', changes: judgedResize(changes) })
  }

  async #order(target: string, order: ControlOrder, options: ControlOptions = {}): Promise<ControlResult> {
    return await this.order(target, order, CallBounds.of(options))
  }
}
