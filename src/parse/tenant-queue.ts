/**
 * Those that wait, in lines: one for each tenant, and one for those that are nobody's. Within a line the first comes
 * first; the lines take turns, so that a tenant with a thousand tasks holds up another by one.
 */
import { Queue, type QueueEntry } from '../base/queue.ts'

type Tenant = string | undefined

export type QueuePlace<T> = {
  readonly tenant: Tenant
  readonly entry: QueueEntry<T>
  /** Bytes that it keeps while it waits. */
  readonly bytes: number
}

/** What waits. */
export type QueueLoad = { readonly size: number; readonly bytes: number }

type TenantLine<T> = { readonly queue: Queue<T>; bytes: number }

export class TenantQueue<T> {
  /** The line whose turn is next comes first. Only lines with somebody in them are here. */
  readonly #lines = new Map<Tenant, TenantLine<T>>()
  #size = 0
  #bytes = 0

  get size(): number {
    return this.#size
  }

  get load(): QueueLoad {
    return { size: this.#size, bytes: this.#bytes }
  }

  loadOf(tenant: Tenant): QueueLoad {
    const line = this.#lines.get(tenant)
    return { size: line?.queue.size ?? 0, bytes: line?.bytes ?? 0 }
  }

  add(tenant: Tenant, value: T, bytes = 0): QueuePlace<T> {
    const line = this.#lines.get(tenant) ?? { queue: new Queue<T>(), bytes: 0 }
    this.#lines.set(tenant, line)
    this.#size += 1
    this.#bytes += bytes
    line.bytes += bytes
    return { tenant, entry: line.queue.add(value), bytes }
  }

  remove({ tenant, entry, bytes }: QueuePlace<T>): void {
    const line = this.#lines.get(tenant)
    if (!line?.queue.remove(entry)) return
    this.#size -= 1
    this.#bytes -= bytes
    line.bytes -= bytes
    if (line.queue.size === 0) this.#lines.delete(tenant)
  }

  /** Who is next of those whose tenant `may` pass, or null; its line is the last from now on. It still has its place. */
  next(may: (tenant: Tenant) => boolean): T | null {
    for (const [tenant, line] of this.#lines) {
      const { first } = line.queue
      if (first === null || !may(tenant)) continue
      this.#lines.delete(tenant)
      this.#lines.set(tenant, line)
      return first.value
    }
    return null
  }

  *[Symbol.iterator](): Generator<T, void, undefined> {
    for (const { queue } of [...this.#lines.values()]) for (const { value } of queue) yield value
  }
}
