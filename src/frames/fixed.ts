/** Messages of one length. */
import type { Frame } from './frame.ts'
import { symmetricFrame } from './symmetric-frame.ts'

export function fixedFrame(length: number): Frame {
  const find = (bytes: Uint8Array, before: number): number => {
    const left = length - before
    return left > bytes.length ? 0 : left
  }
  return symmetricFrame({ name: 'fixed', max: length, balances: true, search: () => ({ find }) })
}
