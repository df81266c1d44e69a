/** How bytes that were read go back: as they are with their facts in headers, or as text in JSON. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { pickType } from './accept.ts'
import { type ByteEncoding, textOf } from './byte-text.ts'

export interface BytesRead {
  readonly bytes: Buffer
  /** Stream offset of the first byte. */
  readonly offset: number
  readonly eof: boolean
  /** Of an exchange: whether the connection was open before. */
  readonly reused?: boolean
}

/** Answers with bytes, in the form that the Accept header prefers. `encoding` is for the JSON form. */
export function sendBytes(
  read: BytesRead,
  encoding: ByteEncoding | undefined,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const { bytes, offset, eof, reused } = read
  reply.header('vary', 'accept')
  const type = pickType(request.headers.accept, ['application/octet-stream', 'application/json'])
  if (type === 'application/json') {
    const body = { ...textOf(bytes, encoding), offset, eof, ...(reused !== undefined && { reused }) }
    return reply.type('application/json').send(body)
  }
  reply.headers({ 'sockpool-offset': String(offset), 'sockpool-eof': String(eof) })
  if (reused !== undefined) reply.header('sockpool-reused', String(reused))
  return reply.type('application/octet-stream').send(bytes)
}
