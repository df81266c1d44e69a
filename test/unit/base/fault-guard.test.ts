import { expect, onTestFinished, test } from 'vitest'
import { FaultGuard } from '../../../src/base/fault-guard.ts'

const broken = new Error('broken')
const fails = (): never => {
  throw broken
}

function guarded(): { readonly guard: FaultGuard; readonly faults: unknown[] } {
  const faults: unknown[] = []
  return { guard: new FaultGuard(error => faults.push(error)), faults }
}

test('FaultGuard gives the caller of an entry that throws something else, and tells what was thrown', () => {
  const { guard, faults } = guarded()
  expect(guard.entry((count: number) => count + 1, -1)(1)).toBe(2)
  expect(guard.entry(fails, -1)()).toBe(-1)
  expect(faults).toEqual([broken])
})

test('FaultGuard.run goes on to the next when one fails', () => {
  const { guard, faults } = guarded()
  const done: number[] = []
  for (const number of [1, 2, 3]) guard.run(() => (number === 2 ? fails() : done.push(number)))
  expect([done, faults]).toEqual([[1, 3], [broken]])
})

test('FaultGuard.follow tells of a rejection and of what the next step throws', async () => {
  const { guard, faults } = guarded()
  guard.follow(Promise.reject(broken), () => {})
  guard.follow(Promise.resolve(), fails)
  await new Promise(resolve => setImmediate(resolve))
  expect(faults).toEqual([broken, broken])
})

test.each([new Error('nor contained'), Object.create(null)])(
  'FaultGuard that cannot contain a fault warns of it, and does not throw',
  async second => {
    const warnings: Error[] = []
    const onWarning = (warning: Error): void => void warnings.push(warning)
    process.on('warning', onWarning)
    onTestFinished(() => void process.off('warning', onWarning))
    const guard = new FaultGuard(() => {
      throw second
    })
    guard.run(fails)
    guard.follow(Promise.reject(broken), () => {})
    await new Promise(resolve => setTimeout(resolve))
    const ours = warnings.filter(warning => 'code' in warning && warning.code === 'SOCKPOOL_FAULT')
    expect(ours.map(({ message }) => message)).toEqual([
      'a fault could not be contained',
      'it could not be, for this',
      'a fault could not be contained',
      'it could not be, for this',
    ])
    expect(ours[0]).toMatchObject({ detail: expect.stringContaining('broken') })
  },
)
