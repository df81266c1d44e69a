/** Ends the next lease of this thread in the moment in which its connection is handed out: before its caller hears of it. */
import { onTestFinished, vi } from 'vitest'
import type { LeaseHolder } from '../../src/pool/lease/lease-keeper.ts'
import { LeaseRecord } from '../../src/pool/lease/lease-record.ts'

export function endNextLease(end: (record: LeaseRecord) => void): void {
  const { begin } = LeaseRecord.prototype
  const spy = vi.spyOn(LeaseRecord.prototype, 'begin')
  onTestFinished(() => spy.mockRestore())
  spy.mockImplementationOnce(function (
    this: LeaseRecord,
    thread: number,
    make: (record: LeaseRecord) => LeaseHolder,
  ) {
    const holder = begin.call(this, thread, make)
    end(this)
    return holder
  })
}
