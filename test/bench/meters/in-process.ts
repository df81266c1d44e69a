/** The costs of contenders that run in the bench's own process. */
import type { Contender } from '../rounds.ts'
import { beginGarbage } from './own-garbage.ts'
import { beginSpending } from './spent.ts'

/** The same contender, which also tells what an operation costs; operations are what its rate counts. */
export function costed({ name, run }: Contender): Contender {
  return {
    name,
    run: async effort => {
      const spending = beginSpending({ pids: [process.pid] })
      const endGarbage = beginGarbage()
      const beganMs = performance.now()
      const measure = await run(effort)
      const operations = (measure.rate * (performance.now() - beganMs)) / 1_000
      return { ...measure, garbage: endGarbage() / operations, ...spending(operations) }
    },
  }
}
