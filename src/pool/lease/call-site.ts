/** Where a lease was asked for. */
import type { Target } from '../../config/target.ts'
import type { LeaseOrigin } from './lease-report.ts'

/** What the caller says of it; else the place in the program, while the stack is still the caller's, where leaks are told. */
export function originOf(
  said: LeaseOrigin | undefined,
  { leakDetectionMs }: Target,
): LeaseOrigin | undefined {
  return said ?? (leakDetectionMs === undefined ? undefined : callSite())
}

/** The frames of the present call, its outermost last. */
function callSite(): LeaseOrigin {
  const holder: { stack?: string } = {}
  Error.captureStackTrace(holder, originOf)
  const frames = holder.stack?.split('\n').slice(1) ?? []
  return { stack: frames.map(frame => frame.trim()).join('; ') }
}
