import type { GoneReason } from '../../base/errors.ts'
import type { EndName } from '../../channel/values.ts'

/** How a connection ended, as its lease tells it. */
export function goneReason(how: EndName): GoneReason {
  switch (how) {
    case 'workerLost':
      return 'worker_lost'
    case 'killed':
    case 'revoked':
      return how
    default:
      return 'reset'
  }
}
