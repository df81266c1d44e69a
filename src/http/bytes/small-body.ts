/**
 * A body whose declared length is small, taken as it flows: it mostly stands behind its headers in one segment, and then is
 * whole before anything else happens. What is asked of a larger one piece by piece is asked here once.
 */
import type { IncomingMessage } from 'node:http'
import { SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import { tookLonger } from '../../base/wait.ts'
import { askForBody } from './expect-continue.ts'

/**
 * All of it, which is `length` bytes. `look` sees each chunk, and may refuse it by an error.
 *
 * Errors: those of `look`; ABORTED when the client disconnects before the end, REQUEST_TIMEOUT when it sends too slowly.
 */
export function readSmallBody(
  stream: IncomingMessage,
  length: number,
  look: (chunk: Buffer) => void,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let body: Buffer | null = null
    let got = 0
    const startedMs = performance.now()
    const onData = (chunk: Buffer): void => {
      try {
        look(chunk)
      } catch (error) {
        return fail(error)
      }
      if (chunk.length === length) body = chunk
      else {
        body ??= Buffer.allocUnsafe(length)
        chunk.copy(body, got)
      }
      got += chunk.length
    }
    const onEnd = (): void => {
      leave()
      resolve(body ?? Buffer.alloc(0))
    }
    const onGone = (): void => fail(new SockpoolError('ABORTED', 'the request body was aborted'))
    const onTime = (): void => {
      const allowedMs = LIMITS.bodyWaitMs + (got / LIMITS.bodyRateBytesPerSecond) * 1_000
      const leftMs = startedMs + allowedMs - performance.now()
      if (leftMs > 0) timer = setTimeout(onTime, leftMs)
      else fail(new SockpoolError('REQUEST_TIMEOUT', tookLonger('the request body', allowedMs)))
    }
    let timer = setTimeout(onTime, LIMITS.bodyWaitMs)
    const leave = (): void => {
      clearTimeout(timer)
      stream.off('data', onData).off('end', onEnd).off('close', onGone)
    }
    const fail = (error: unknown): void => {
      leave()
      // What else comes is nobody's: the answer ends the connection where it has not come whole by then.
      stream.pause()
      reject(error)
    }
    // A request of a server tells an error to nobody who does not listen for it, and closes.
    stream.on('data', onData).on('end', onEnd).on('close', onGone)
    askForBody(stream)
  })
}
