/**
 * `node host.ts MODULE OPTIONS`: one contender in a process of its own, so that nothing of another is in its heap, its code
 * or its threads. It runs when its parent says so and ends with it.
 */
import type { Order, Runner } from './runner.ts'

/** What the parent hears of a run. `busy` is the share of the time that the main thread's event loop did not wait. */
export type Report = {
  readonly count: number
  readonly elapsedMs: number
  readonly others: Readonly<Record<string, number>>
}

const [module = '', options = 'null'] = process.argv.slice(2)
// The first collection that is traced tells which isolate is the main thread's.
globalThis.gc?.()

const { open } = (await import(module)) as { readonly open: (options: unknown) => Promise<Runner> }
const runner = await open(JSON.parse(options))

async function run(order: Order): Promise<void> {
  const loop = performance.eventLoopUtilization()
  const { count, elapsedMs, others } = await runner.run(order)
  const busy = performance.eventLoopUtilization(loop).utilization
  process.send?.({ count, elapsedMs, others: { busy, ...others } } satisfies Report)
}

process.on('message', (order: Order) => {
  run(order).catch((error: unknown) => {
    process.stderr.write(`${module}: ${error instanceof Error ? error.stack : String(error)}\n`)
    process.exit(1)
  })
})
process.on('disconnect', () => {
  const closing = runner.close?.() ?? Promise.resolve()
  closing.then(
    () => process.exit(),
    () => process.exit(1),
  )
})
process.send?.('ready')
