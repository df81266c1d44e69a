/**
 * One listener of a pool, in one I/O worker or, with `reusePort`, in all of them. A worker that is drained listens until
 * its successor does. One that dies takes its part along: another worker binds the same addresses again, or its successor
 * where there is none, or where all listen anyway.
 */
import { invariant, SockpoolError } from '../base/errors.ts'
import type { Succession } from '../base/succession.ts'
import type { IoThread } from './io-thread.ts'
import type { BoundAddress, ListenSpec } from './protocol.ts'
import type { BoundListener, OnIncoming } from './thread-listeners.ts'

export type IoListenerDeps = {
  readonly spec: ListenSpec
  readonly onIncoming: OnIncoming
  /** Nobody could bind what a dead worker had. */
  readonly onFailed: (error: SockpoolError) => void
  readonly onClosed: (listener: IoListener) => void
}

export class IoListener {
  readonly #deps: IoListenerDeps
  /** By the index of the worker. A worker that is between its death and its rebirth has a null. */
  readonly #bound = new Map<number, BoundListener | null>()
  readonly #binding = new Map<number, Promise<void>>()
  /** Listen no more, and have clients that wait. */
  readonly #leaving = new Set<BoundListener>()
  #addresses: readonly BoundAddress[] = []
  #isServing = false
  #closing: Promise<void> | null = null

  constructor(deps: IoListenerDeps) {
    this.#deps = deps
  }

  /** Where it is bound. */
  get addresses(): readonly BoundAddress[] {
    return this.#addresses
  }

  /**
   * Binds, in the first thread alone or in all. Errors: LISTEN_FAILED, DNS_FAILED, WORKER_LOST; then nothing stays
   * bound.
   */
  async open(threads: readonly IoThread[]): Promise<void> {
    const [first, ...others] = threads
    invariant(first !== undefined, 'a listener has a thread')
    try {
      await this.#bind(first)
      // Only the first may pick a port.
      for (const thread of others) await this.#bind(thread)
    } catch (error) {
      await this.close()
      throw error
    }
  }

  /** Announces what waits, and from now on what comes. */
  serve(): void {
    this.#isServing = true
    for (const bound of this.#bound.values()) bound?.serve()
  }

  /** Resolves when nothing listens any more. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  /** A worker is about to be gone: `heir` is another. What it has bound is bound beside it as long as it is there. */
  dying(index: number, heir: IoThread | null): void {
    if (heir !== null && this.#bound.get(index)?.succession) this.lost(index, heir)
  }

  /** A worker is gone; `heir` is another, which need not be awaited. */
  lost(index: number, heir: IoThread | null): void {
    const before = this.#bound.get(index)
    if (before === undefined) return
    this.#bound.set(index, null)
    // One that was being bound there is for whoever wanted it.
    if (before === null || heir === null || this.#deps.spec.reusePort || this.#closing !== null) return
    this.#bound.delete(index)
    void this.#bindAgain(heir, before.succession ?? undefined)
  }

  /** A worker has taken the place of a dead one. */
  replaced(thread: IoThread): void {
    if (this.#closing !== null || this.#bound.get(thread.index) !== null) return
    void this.#bindAgain(thread)
  }

  /**
   * A worker has taken the place of one that lives, and that is to listen no more. Both listen for a moment, and who waits in
   * the old one is served there. Where the system binds an address only once nobody listens for a moment, and who waits is
   * cut off. Resolves when the old one is done; it never rejects.
   */
  async move(fresh: IoThread): Promise<void> {
    await Promise.allSettled([this.#binding.get(fresh.index)])
    const before = this.#bound.get(fresh.index)
    if (before === undefined || before === null || this.#closing !== null) return
    const { succession } = before
    if (succession !== null && (await this.#bindBeside(fresh, succession))) return await this.#leave(before)
    await before.close()
    if (this.#closing === null) await this.#bindAgain(fresh)
  }

  async #bindBeside(fresh: IoThread, succession: Succession): Promise<boolean> {
    try {
      await this.#bind(fresh, succession)
      return true
    } catch {
      // What speaks against it is found again, and told, once the address is free.
      return false
    }
  }

  async #leave(before: BoundListener): Promise<void> {
    // Nobody is announced before it serves, so nobody would be taken.
    if (!this.#isServing || this.#closing !== null) return await before.close()
    this.#leaving.add(before)
    await before.leave()
    this.#leaving.delete(before)
  }

  async #bindAgain(thread: IoThread, succeeds?: Succession): Promise<void> {
    try {
      await this.#bind(thread, succeeds)
    } catch (error) {
      // A thread that dies again is replaced again.
      if (this.#closing !== null || (error instanceof SockpoolError && error.code === 'WORKER_LOST')) return
      this.#deps.onFailed(SockpoolError.from(error, 'LISTEN_FAILED'))
    }
  }

  #bind(thread: IoThread, succeeds?: Succession): Promise<void> {
    const bound = this.#bindIn(thread, succeeds)
    this.#binding.set(thread.index, bound)
    return bound
  }

  async #bindIn(thread: IoThread, succeeds: Succession | undefined): Promise<void> {
    const { spec, onIncoming } = this.#deps
    this.#bound.set(thread.index, null)
    const bound = await thread.listen({ ...boundTo(spec, this.#addresses), succeeds }, onIncoming)
    this.#bound.set(thread.index, bound)
    if (this.#addresses.length === 0) this.#addresses = bound.addresses
    if (this.#closing !== null) await bound.close()
    else if (this.#isServing) bound.serve()
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#bound.values(), ...this.#leaving].map(bound => bound?.close()))
    this.#deps.onClosed(this)
  }
}

/** The same, at the very addresses that were bound already. Addresses of one listener may differ in their ports. */
function boundTo(spec: ListenSpec, addresses: readonly BoundAddress[]): ListenSpec {
  const [first] = addresses
  if (spec.where.kind === 'unix' || first === undefined) return spec
  const hosts = addresses.filter(({ port }) => port === first.port).map(({ address }) => address)
  return { ...spec, where: { kind: 'tcp', hosts, port: first.port } }
}
