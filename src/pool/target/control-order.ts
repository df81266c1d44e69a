/** What an operator orders of a target: plain data, which may come from another thread. */
import type { CallBounds } from '../../base/call-bounds.ts'
import type { Resize } from './resize.ts'
import type { ControlResult, TargetControl } from './target-control.ts'

export type ControlOrder =
  /** `wait`: until the last lease is back. */
  | { readonly kind: 'pause'; readonly wait: boolean }
  | { readonly kind: 'resume' | 'disable' | 'enable' | 'drain' | 'reconnect' | 'waitClose' }
  | { readonly kind: 'resize'; readonly changes: Resize }

/** The verb as an operator spells it. */
export function verbOf({ kind }: ControlOrder): string {
  return kind === 'waitClose' ? 'wait-close' : kind
}

/** It has begun when this returns. Errors: those of the order. */
export function carryOut(
  control: TargetControl,
  order: ControlOrder,
  bounds: CallBounds,
): ControlResult | Promise<ControlResult> {
  switch (order.kind) {
    case 'pause': {
      const begun = control.pause()
      return order.wait ? control.whenUnused(bounds) : begun
    }
    case 'resume':
      return control.resume()
    case 'disable':
      return control.disable()
    case 'enable':
      return control.enable()
    case 'drain':
      return drain(control, bounds)
    case 'reconnect':
      return control.reconnect()
    case 'waitClose':
      return control.whenRenewed(bounds)
    case 'resize':
      return control.resize(order.changes)
    default:
      return order satisfies never
  }
}

async function drain(control: TargetControl, bounds: CallBounds): Promise<ControlResult> {
  const { closed, refused } = control.drain()
  return { ...(await control.whenIdle(bounds)), closed, refused }
}
