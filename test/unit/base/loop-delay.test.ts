import { expect, onTestFinished, test } from 'vitest'
import { LoopDelay } from '../../../src/base/loop-delay.ts'
import { until } from '../../support/until.ts'

test('LoopDelay tells how long the loop was held up, to whoever asks, and again to the next', async () => {
  const delay = new LoopDelay()
  onTestFinished(() => delay.stop())
  // The first look only begins.
  await new Promise(resolve => setTimeout(resolve, 50))
  const heldUntil = performance.now() + 300
  while (performance.now() < heldUntil);
  await until('it was seen', () => delay.longestMs >= 200)
  expect(delay.longestMs).toBeGreaterThanOrEqual(200)
})
