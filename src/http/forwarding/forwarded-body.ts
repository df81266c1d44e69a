/** The body of a request on its way to the instance that answers it: read from the client as that one takes it. */
import { once } from 'node:events'
import type { ClientRequest } from 'node:http'
import type { FastifyRequest } from 'fastify'
import { clientSignalOf } from '../bytes/client-signal.ts'
import { RequestBody } from '../bytes/request-body.ts'

/** Whether the request has one that is passed on. None is read of GET and HEAD. */
export function hasBody({ method, headers }: FastifyRequest): boolean {
  if (method === 'GET' || method === 'HEAD') return false
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

/** Errors end the call: REQUEST_TIMEOUT for a client that is too slow, ABORTED for one that is gone. */
export function sendBody(request: FastifyRequest, outbound: ClientRequest): void {
  const stopped = new AbortController()
  // An answer that comes before the end of the body is the last word: nobody reads the rest.
  const stop = (): void => stopped.abort()
  outbound.once('response', stop)
  outbound.once('close', stop)
  pump(request, outbound, stopped.signal).catch((error: unknown) => {
    if (!stopped.signal.aborted) outbound.destroy(error instanceof Error ? error : new Error(String(error)))
  })
}

async function pump(request: FastifyRequest, outbound: ClientRequest, stopped: AbortSignal): Promise<void> {
  const body = new RequestBody(request.raw, AbortSignal.any([clientSignalOf(request), stopped]))
  for (;;) {
    const chunk = await body.next()
    if (stopped.aborted) return
    if (chunk === null) return void outbound.end()
    if (!outbound.write(chunk)) await once(outbound, 'drain', { signal: stopped })
  }
}
