import { SockpoolError } from '../../base/errors.ts'
import type { EndName } from '../../channel/values.ts'

/** Why a dial has failed whose connection was gone before anybody could have it. */
export function goneAtOnce(how: EndName): SockpoolError {
  if (how === 'workerLost')
    return new SockpoolError('WORKER_LOST', 'the I/O worker died while the connection was made')
  const reason = how === 'timedOut' ? 'ETIMEDOUT' : 'ECONNRESET'
  return new SockpoolError('CONNECT_FAILED', 'the peer closed the connection at once', { reason })
}
