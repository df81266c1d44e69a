/** Which thread of a Piscina has which of its tasks: Piscina asks here, and tells nobody else. */
import type { Piscina } from 'piscina'
import type { ParseThreadRow } from '../base/parse-thread-row.ts'

type Balance = NonNullable<NonNullable<ConstructorParameters<typeof Piscina>[0]>['loadBalancer']>
type Seat = { readonly thread: Parameters<Balance>[1][number]; tasks: number }

export class ThreadSeats {
  /** By the number of the thread. */
  readonly #seats = new Map<number, Seat>()

  /** Gives the task to a thread that has none; null where all have. */
  readonly choose: Balance = (_task, threads) => {
    const free = threads.find(({ currentUsage }) => currentUsage === 0)
    if (free === undefined) return null
    const seat = this.#seats.get(free.id)
    if (seat !== undefined) seat.tasks += 1
    else {
      // Threads come and go while nobody asks for rows.
      this.#forgetOthers(new Set(threads.map(({ id }) => id)))
      this.#seats.set(free.id, { thread: free, tasks: 1 })
    }
    return free
  }

  /** A row for each of the threads, which are all that there are. */
  rows(threads: Piscina['threads'], work: ParseThreadRow['work']): ParseThreadRow[] {
    const ids = new Set(threads.map(({ threadId }) => threadId))
    this.#forgetOthers(ids)
    return [...ids].map(id => {
      const seat = this.#seats.get(id)
      const state = (seat?.thread.currentUsage ?? 0) > 0 ? 'busy' : 'idle'
      return { id, kind: 'parse', threadId: id, state, work, tasks: seat?.tasks ?? 0 }
    })
  }

  /** Its threads have ended. */
  #forgetOthers(ids: ReadonlySet<number>): void {
    for (const id of this.#seats.keys()) if (!ids.has(id)) this.#seats.delete(id)
  }
}
