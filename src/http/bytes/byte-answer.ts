/** Answers bytes that were read: as they are, with the facts about them in headers; or as text in JSON. */
import { isAscii } from 'node:buffer'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { freeAlone } from '../../base/large-memory.ts'
import { LIMITS } from '../../base/limits.ts'
import type { StreamEnding } from '../../streams/byte-source.ts'
import { pickType } from './accept.ts'
import { type ByteEncoding, textOf } from './byte-text.ts'

export interface BytesRead {
  readonly bytes: Buffer
  /** Stream offset of the first byte. */
  readonly offset: number
  readonly eof: boolean
  /** How the stream has ended, where all of it was read; null before. */
  readonly end: StreamEnding | null
  /** For an exchange: whether the connection was open before it. */
  readonly reused?: boolean
}

/** Answers in the form that the Accept header prefers. `encoding` applies to the JSON form. */
export function sendBytes(
  read: BytesRead,
  encoding: ByteEncoding | undefined,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const { bytes, offset, eof, end, reused } = read
  reply.header('vary', 'accept')
  const type = pickType(request.headers.accept, ['application/octet-stream', 'application/json'])
  if (type === 'application/json') {
    const facts = { offset, eof, ...(end !== null && { end }), ...(reused !== undefined && { reused }) }
    return reply.type('application/json').send({ ...textOf(bytes, encoding), ...facts })
  }
  reply.headers({ 'sockpool-offset': String(offset), 'sockpool-eof': String(eof) })
  // The response closes when the kernel has its last byte, or its connection is gone. The engine would keep them for long.
  if (bytes.length >= LIMITS.pacedAnswerBytesMin) reply.raw.once('close', () => freeAlone(bytes))
  if (end !== null) reply.header('sockpool-end', end)
  if (reused !== undefined) reply.header('sockpool-reused', String(reused))
  return reply.type('application/octet-stream').send(oneWrite(bytes))
}

/** Node sends headers and a text in one write, and a Buffer in a second one behind them. */
function oneWrite(bytes: Buffer): Buffer | string {
  return bytes.length <= LIMITS.answerTextBytesMax && isAscii(bytes) ? bytes.toString('latin1') : bytes
}
