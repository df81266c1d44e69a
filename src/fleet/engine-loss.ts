/** What a pool may have of its own while the engine is away. */
import type { EngineLoss } from '../config/fleet.ts'

/** Connections. `instances`: among how many the cap is divided. */
export function lossAllowance(onEngineLoss: EngineLoss, cap: number, instances: number): number {
  switch (onEngineLoss) {
    case 'share':
      return Math.floor(cap / Math.max(1, instances))
    case 'closed':
      return 0
    case 'local':
      return Number.POSITIVE_INFINITY
    default:
      return onEngineLoss satisfies never
  }
}
