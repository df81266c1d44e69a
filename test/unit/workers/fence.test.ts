import type { Socket } from 'node:net'
import { expect, test } from 'vitest'
import { type Ask, ask, type EpochState } from '../../../workers/io/fence.ts'

/** A state that needs no more than its name and its epoch to be judged. */
function state(at: EpochState['at'], epoch: number): EpochState {
  const socket = {} as Socket
  return { at, epoch, socket, how: 'closed' } as unknown as EpochState
}

function asked(
  at: EpochState['at'],
  epoch: number,
  next: number,
  shut: 'open' | 'close' | 'abort',
): Ask | string {
  try {
    return ask(state(at, epoch), next, shut)
  } catch (error) {
    return (error as { code: string }).code
  }
}

const CORRUPT = 'CHANNEL_CORRUPT'

test.each([
  ['dialog', 6, ['nothing', CORRUPT, CORRUPT, CORRUPT]],
  ['fresh', 6, ['nothing', 'serve', 'check', CORRUPT]],
  ['idle', 6, ['nothing', 'serve', 'check', CORRUPT]],
  ['leased', 7, ['nothing', 'check', CORRUPT, CORRUPT]],
  ['hushed', 7, ['nothing', 'drop', CORRUPT, CORRUPT]],
  ['checking', 6, ['nothing', CORRUPT, CORRUPT, CORRUPT]],
  ['lingering', 7, ['nothing', 'nothing', CORRUPT, CORRUPT]],
  ['lingering', 6, ['nothing', CORRUPT, CORRUPT, CORRUPT]],
  ['finishing', 7, ['nothing', 'nothing', CORRUPT, CORRUPT]],
  ['closing', 7, ['nothing', 'drop', 'drop', 'drop']],
  ['draining', 7, ['nothing', 'drop', 'drop', 'drop']],
] as const)('ask, of a connection that is %s at epoch %s, for the next epochs: %s', (at, epoch, expected) => {
  expect([0, 1, 2, 3].map(steps => asked(at, epoch, epoch + steps, 'open'))).toEqual(expected)
  const before = at === 'closing' || at === 'draining' ? 'drop' : CORRUPT
  expect(asked(at, epoch, epoch - 1, 'open')).toBe(before)
})

test.each(['fresh', 'idle', 'leased', 'hushed'] as const)(
  'ask of a connection that is %s hears of a close',
  at => {
    const epoch = at === 'leased' || at === 'hushed' ? 7 : 6
    expect(asked(at, epoch, epoch, 'close')).toBe('close')
  },
)

test('ask hears of a close before the end of the lease that asked for it', () => {
  expect(asked('leased', 7, 8, 'close')).toBe('close')
  expect(asked('fresh', 6, 8, 'close')).toBe('close')
})

test('ask of any connection hears of an abort, whatever the epoch says', () => {
  for (const at of ['dialog', 'fresh', 'leased', 'checking', 'closing', 'draining'] as const)
    expect(asked(at, 6, 1_001, 'abort')).toBe('abort')
})

test('ask counts on where the epoch wraps', () => {
  const last = 2 ** 31 - 1
  expect(asked('leased', last, -(2 ** 31), 'open')).toBe('check')
  expect(asked('fresh', -2, 0, 'open')).toBe('check')
})
