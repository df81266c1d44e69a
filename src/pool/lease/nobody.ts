/** Stands for the ends of a lease where there are none, or none that hear. */
import type { LeaseHolder } from './lease-keeper.ts'

/** Before they are there. */
export const NOBODY: LeaseHolder = {
  bytesIn: 0,
  bytesOut: 0,
  replayBytes: 0,
  activity: { waits: false, bytes: 0 },
  isSpent: () => false,
  rung: () => {},
  broke: () => {},
  lost: () => {},
  ended: () => {},
}

/** For those that have nothing more to hear. */
export function deafened({ bytesIn, bytesOut }: LeaseHolder): LeaseHolder {
  return { ...NOBODY, bytesIn, bytesOut }
}
