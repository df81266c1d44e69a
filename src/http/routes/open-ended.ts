/** An answer that goes on for as long as something comes. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { LIMITS } from '../../base/limits.ts'
import { takesItsTime } from '../door/request-log.ts'
import type { OutStream } from '../streaming/out-stream.ts'

/** Sends it: neither side's silence is a reason to cut it, and no proxy is to hold anything back. */
export function sendOpenEnded(request: FastifyRequest, reply: FastifyReply, out: OutStream): FastifyReply {
  const { socket } = request.raw
  takesItsTime(request)
  socket.setTimeout(0)
  // A client whose machine is gone says nothing more.
  socket.setKeepAlive(true, LIMITS.streamPingMs)
  reply.headers({ vary: 'accept', 'cache-control': 'no-store', 'x-accel-buffering': 'no' })
  reply.send(out)
  // The client learns at once that it is served, not with the first that comes.
  reply.raw.flushHeaders()
  return reply
}
