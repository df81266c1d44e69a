/**
 * Those that wait, in lines: one for each tenant, and one for those that are nobody's. Within a line the first comes
 * first; the lines take turns, so that a tenant with a thousand tasks holds up another by one.
 */
import { Queue, type QueueEntry } from '../base/queue.ts'

type Tenant = string | undefined

export type QueuePlace<T> = { readonly tenant: Tenant; readonly entry: QueueEntry<T> }

export class TenantQueue<T> {
  /** The line whose turn is next comes first. Only lines with somebody in them are here. */
  readonly #lines = new Map<Tenant, Queue<T>>()
  #size = 0

  get size(): number {
    return this.#size
  }

  add(tenant: Tenant, value: T): QueuePlace<T> {
    const line = this.#lines.get(tenant) ?? new Queue<T>()
    this.#lines.set(tenant, line)
    this.#size += 1
    return { tenant, entry: line.add(value) }
  }

  remove({ tenant, entry }: QueuePlace<T>): void {
    const line = this.#lines.get(tenant)
    if (!line?.remove(entry)) return
    this.#size -= 1
    if (line.size === 0) this.#lines.delete(tenant)
  }

  /** Who is next of those whose tenant `may` pass, or null; its line is the last from now on. It still has its place. */
  next(may: (tenant: Tenant) => boolean): T | null {
    for (const [tenant, line] of this.#lines) {
      const { first } = line
      if (first === null || !may(tenant)) continue
      this.#lines.delete(tenant)
      this.#lines.set(tenant, line)
      return first.value
    }
    return null
  }

  *[Symbol.iterator](): Generator<T, void, undefined> {
    for (const line of [...this.#lines.values()]) for (const { value } of line) yield value
  }
}
