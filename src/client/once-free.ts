/** Calls of the service on a lease whose socket has just said good-bye. */

import { CLIENT_LIMITS } from '../base/client-limits.ts'
import { hasCode } from '../base/errors.ts'

/** Milliseconds between two looks whether the service is done with a socket. */
const LOOK_MS = 2

/**
 * The service has said good-bye to a socket a moment before it is done with it; until then it is busy with a read. Errors:
 * those of `run`.
 */
export async function onceFree<T>(run: () => Promise<T>): Promise<T> {
  const startedMs = performance.now()
  for (;;) {
    try {
      return await run()
    } catch (error) {
      if (!hasCode(error, 'READ_BUSY') || performance.now() - startedMs > CLIENT_LIMITS.streamFreeMs)
        throw error
      await new Promise(resolve => setTimeout(resolve, LOOK_MS))
    }
  }
}
