/** What the body of a request was compressed with, by its `Content-Encoding` (RFC 9110, 8.4). */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { SockpoolError } from '../../base/errors.ts'
import { CODINGS, type Coding } from '../../parse/formats/decompress.ts'

/**
 * The coding; null for a body that is as it is. Errors: UNSUPPORTED_MEDIA_TYPE for one that is not known, and for several; the
 * answer then says which there are.
 */
export function codingOf(request: FastifyRequest, reply: FastifyReply): Coding | null {
  const named = (request.headers['content-encoding'] ?? '').trim().toLowerCase()
  if (named === '' || named === 'identity') return null
  const coding = CODINGS.find(known => known === (named === 'x-gzip' ? 'gzip' : named))
  if (coding !== undefined) return coding
  reply.header('accept-encoding', CODINGS.join(', '))
  throw new SockpoolError(
    'UNSUPPORTED_MEDIA_TYPE',
    `Content-Encoding must be one of ${CODINGS.join(', ')}, and one alone`,
  )
}
