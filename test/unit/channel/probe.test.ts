import { test } from 'vitest'
import { explore } from '../../support/interleavings.ts'
import { ConsumerThread, ProducerThread, sceneOf, killer } from '../../support/ring-threads.ts'
test('probe', () => {
  for (const how of ['bell', 'block'] as const)
  for (const capacity of [1, 2, 3, 4]) for (const keep of [0, 1, 2]) for (const kill of [false, true]) {
    if (keep >= capacity) continue
    const writes = [1, capacity, 2], total = 3 + capacity
    const t0 = performance.now()
    const threads = [
      new ProducerThread({ capacity, how, writes, roomMax: capacity - keep, finishes: false }),
      new ConsumerThread({ capacity, how, wishes: [capacity, 1, 2], keep, total, least: kill ? 0 : total }),
      ...(kill ? [killer] : []),
    ]
    const r = explore(sceneOf(capacity, threads))
    console.log(how, capacity, keep, kill, r, Math.round(performance.now() - t0))
  }
}, 300000)
