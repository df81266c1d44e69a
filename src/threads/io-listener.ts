/**
 * One listener of a pool, in one I/O worker or, with `reusePort`, in all of them. A worker that dies takes its part
 * along; its successor binds the same addresses again.
 */
import { invariant, SockpoolError } from '../base/errors.ts'
import type { IoThread } from './io-thread.ts'
import type { BoundAddress, ListenSpec } from './protocol.ts'
import type { BoundListener, OnIncoming } from './thread-listeners.ts'

export type IoListenerDeps = {
  readonly spec: ListenSpec
  readonly onIncoming: OnIncoming
  /** The successor of a dead worker could not bind what it had. */
  readonly onFailed: (error: SockpoolError) => void
  readonly onClosed: (listener: IoListener) => void
}

export class IoListener {
  readonly #deps: IoListenerDeps
  /** By the index of the worker. A worker that is between its death and its rebirth has a null. */
  readonly #bound = new Map<number, BoundListener | null>()
  readonly #binding = new Map<number, Promise<void>>()
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

  /** A worker is gone. */
  lost(index: number): void {
    if (this.#bound.has(index)) this.#bound.set(index, null)
  }

  /** A worker has taken the place of a dead one. */
  replaced(thread: IoThread): void {
    if (this.#closing !== null || this.#bound.get(thread.index) !== null) return
    void this.#bindAgain(thread)
  }

  /**
   * A worker has taken the place of one that lives, and that is to listen no more. With `reusePort` both listen for a moment;
   * else nobody does, as an address is bound once. Who waits in the old one, and is not adopted, is cut off. It never rejects.
   */
  async move(fresh: IoThread): Promise<void> {
    await Promise.allSettled([this.#binding.get(fresh.index)])
    const before = this.#bound.get(fresh.index)
    if (before === undefined || before === null || this.#closing !== null) return
    const { reusePort } = this.#deps.spec
    if (!reusePort) await before.close()
    if (this.#closing === null) await this.#bindAgain(fresh)
    if (reusePort) await before.close()
  }

  async #bindAgain(thread: IoThread): Promise<void> {
    try {
      await this.#bind(thread)
    } catch (error) {
      // A thread that dies again is replaced again.
      if (this.#closing !== null || (error instanceof SockpoolError && error.code === 'WORKER_LOST')) return
      this.#deps.onFailed(SockpoolError.from(error, 'LISTEN_FAILED'))
    }
  }

  #bind(thread: IoThread): Promise<void> {
    const bound = this.#bindIn(thread)
    this.#binding.set(thread.index, bound)
    return bound
  }

  async #bindIn(thread: IoThread): Promise<void> {
    const { spec, onIncoming } = this.#deps
    this.#bound.set(thread.index, null)
    const bound = await thread.listen(boundTo(spec, this.#addresses), onIncoming)
    this.#bound.set(thread.index, bound)
    if (this.#addresses.length === 0) this.#addresses = bound.addresses
    if (this.#closing !== null) await bound.close()
    else if (this.#isServing) bound.serve()
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#bound.values()].map(bound => bound?.close()))
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
