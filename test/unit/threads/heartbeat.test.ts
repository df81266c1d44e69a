/** What looks at a thread's beats say of it. */
import { expect, test } from 'vitest'
import { LIMITS } from '../../../src/base/limits.ts'
import { Heartbeat } from '../../../src/threads/heartbeat.ts'

test('Heartbeat takes no thread for alive that has not started, and holds no long start against it', () => {
  const heartbeat = new Heartbeat()
  expect(heartbeat.isAlive).toBe(false)
  for (let look = 1; look <= 5; look++) heartbeat.look(0)
  expect([heartbeat.isAlive, heartbeat.silenceMs]).toEqual([false, 5 * LIMITS.sweepIntervalMs])
  heartbeat.started()
  expect([heartbeat.isAlive, heartbeat.silenceMs]).toEqual([true, 0])
})

test('Heartbeat suspects a thread that is silent, until it beats again', () => {
  const heartbeat = new Heartbeat()
  heartbeat.started()
  heartbeat.look(1)
  for (let look = 1; look <= LIMITS.heartbeatSuspectMs / LIMITS.sweepIntervalMs; look++) {
    expect(heartbeat.isAlive).toBe(true)
    heartbeat.look(1)
  }
  expect(heartbeat.isAlive).toBe(false)
  heartbeat.look(2)
  expect(heartbeat.isAlive).toBe(true)
})
