import { expect, test } from 'vitest'
import { type LeaseTrace, reasonToClose } from '../../../src/pool/lease/reason-to-close.ts'

const CLEAN: LeaseTrace = {
  reuse: 'clean',
  isCounted: false,
  ended: 'open',
  interrupted: false,
  eofWritten: false,
  closing: false,
  unreadBytes: 0,
  unsentBytes: 0,
  unanswered: false,
}

test('reasonToClose leaves a clean trace to the I/O worker', () => {
  expect(reasonToClose(CLEAN)).toBeNull()
})

test.each<[string, Partial<LeaseTrace>]>([
  ['policy', { reuse: 'never' }],
  ['error', { ended: 'failed' }],
  ['half_closed', { ended: 'fin' }],
  ['half_closed', { eofWritten: true }],
  ['half_closed', { closing: true }],
  ['timed_out', { interrupted: true }],
  ['unread', { unreadBytes: 1 }],
  ['unsent', { unsentBytes: 1 }],
  ['unanswered', { unanswered: true }],
  ['upgraded', { upgraded: true, reuse: 'never' }],
])('reasonToClose is %s for %o', (reason, flaw) => {
  expect(reasonToClose({ ...CLEAN, ...flaw })).toBe(reason)
})
