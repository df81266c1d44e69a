import { describe, expect, test } from 'vitest'
import { allocateLoan, LoanWords } from '../../../src/channel/loan-words.ts'

/** Both sides of one loan. */
function sides(): { lender: LoanWords; borrower: LoanWords } {
  const memory = allocateLoan()
  return { lender: LoanWords.of(memory), borrower: LoanWords.of(structuredClone(memory)) }
}

describe('LoanWords', () => {
  test('let a task begin that was not called off, and tell which thread has it', () => {
    const { lender, borrower } = sides()
    expect(lender.borrower).toBe(0)
    expect(borrower.begin(7)).toBe(true)
    expect(lender.callOff()).toBe(false)
    expect(lender.borrower).toBe(7)
  })

  test('let a task be called off that was not begun', () => {
    const { lender, borrower } = sides()
    expect(lender.callOff()).toBe(true)
    expect(borrower.begin(7)).toBe(false)
  })

  test('tell the borrower of a recall, and keep both flags', () => {
    const { lender, borrower } = sides()
    expect(borrower.isRecalled).toBe(false)
    lender.recall()
    expect(borrower.isRecalled).toBe(true)
    expect(borrower.begin(7)).toBe(true)
    expect(lender.callOff()).toBe(false)
    expect(borrower.isRecalled).toBe(true)
  })
})
