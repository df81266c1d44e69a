/**
 * asyncio.StreamWriter over HTTP. A write body is never held whole: each chunk goes to the writer as it comes, and
 * the next is taken only when the writer has room, so a slow target slows its client down.
 */
import type { Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type Static, type TObject, Type } from 'typebox'
import { registerJsonBodies, registerStreamedBodies } from '../bytes/body-parsers.ts'
import { ByteEncodingSchema, joinedBytes } from '../bytes/byte-text.ts'
import { RequestBody } from '../bytes/request-body.ts'
import { WRITE_PROBLEMS } from '../document/problem-codes.ts'
import { checkHalfClose, endWriting, writeBody, writePieces } from '../leases/counted-write.ts'
import type { AppLimits, WriterPort } from '../ports.ts'
import { CountedFailure, NOTHING_MOVED } from '../problems.ts'
import type { Calls, CallWait } from './calls.ts'
import { type RouteTable, route } from './route-table.ts'
import {
  BytesBody,
  CLOSED,
  LeaseParams,
  NoContent,
  ProblemAnswer,
  timeoutMs,
  WriteAnswer,
  writeOffset,
} from './schemas.ts'

const tags = ['writer']

const flag = (description: string) => Type.Optional(Type.Boolean({ description }))

const drain = flag('Wait until the peer has taken what was written, down to the low water mark.')

const eof = flag('End the writing side after that.')

const writeSchema = (limits: AppLimits) => ({
  tags,
  operationId: 'write',
  summary: 'Write the body',
  description:
    'Any content type; the body is streamed. `timeoutMs` bounds each wait for the peer, not the whole. With ' +
    '`offset`, a repeat sends only what was not accepted before, also while the first is still under way.',
  body: BytesBody,
  params: LeaseParams,
  querystring: Type.Object(
    {
      drain,
      eof,
      offset: writeOffset(),
      timeoutMs: timeoutMs(limits),
    },
    CLOSED,
  ),
  response: { 200: WriteAnswer, default: ProblemAnswer },
})

const LinesBody = Type.Union(
  [
    Type.Array(Type.String()),
    Type.Object({ data: Type.Array(Type.String()), encoding: Type.Optional(ByteEncodingSchema) }, CLOSED),
  ],
  { examples: [{ data: ['first\n', 'second\n'], encoding: 'utf8' }] },
)

const writeLinesSchema = (limits: AppLimits) => ({
  tags,
  operationId: 'writeLines',
  summary: 'Write a list of texts',
  description:
    'One after the other, nothing added between them. With `offset`, a repeat sends only what was not accepted before.',
  params: LeaseParams,
  querystring: Type.Object({ drain, eof, offset: writeOffset(), timeoutMs: timeoutMs(limits) }, CLOSED),
  body: LinesBody,
  response: { 200: WriteAnswer, default: ProblemAnswer },
})

/** A verb that answers without a body. */
const verbSchema = <Query extends TObject>(
  operationId: string,
  summary: string,
  description: string,
  querystring: Query,
) => ({
  tags,
  operationId,
  summary,
  description,
  params: LeaseParams,
  querystring,
  response: { 204: NoContent, default: ProblemAnswer },
})

const waiting = (limits: AppLimits) => Type.Object({ timeoutMs: timeoutMs(limits) }, CLOSED)

const drainSchema = (limits: AppLimits) =>
  verbSchema(
    'drain',
    'Wait until the peer has taken enough of what was written',
    'Down to the low water mark; at once where little is buffered.',
    waiting(limits),
  )

const waitClosedSchema = (limits: AppLimits) =>
  verbSchema(
    'waitClosed',
    'Wait until the connection is closed',
    'After a close, and once all is sent.',
    waiting(limits),
  )

const NoQuery = Type.Object({}, CLOSED)
const WriteEofSchema = verbSchema(
  'writeEof',
  'End the writing side; reading goes on',
  'The peer sees EOF. Not on TLS, which has no half-close.',
  NoQuery,
)
const CloseSchema = {
  ...verbSchema(
    'close',
    'Close the connection after what was written is sent',
    'The answer does not wait for that: wait_closed does.',
    NoQuery,
  ),
  response: { 202: NoContent, default: ProblemAnswer },
}
const IsClosingSchema = {
  ...verbSchema(
    'isClosing',
    'Whether the connection is closing or closed',
    'By this side: an EOF of the peer is told by reads.',
    NoQuery,
  ),
  response: { 200: Type.Object({ closing: Type.Boolean() }), default: ProblemAnswer },
}

export function writeRoute(calls: Calls): RouteTable {
  return {
    readBodies: registerStreamedBodies,
    counts: NOTHING_MOVED,
    routes: [
      route({
        method: 'POST',
        url: '/v1/leases/:id/write',
        schema: writeSchema(calls.limits),
        problems: [...WRITE_PROBLEMS, 'OFFSET_MISMATCH'],
        run: request => {
          const { offset, timeoutMs } = request.query
          const held = calls.leaseOf(request)
          // Before it waits for its turn and for the body.
          if (request.query.eof === true) checkHalfClose(held.lease.writer)
          const wait = calls.waitOf(request, timeoutMs)
          const body = request.body ? new RequestBody(request.body as Readable, wait.signal) : null
          return held.write('write', wait, () =>
            writeBody(held.lease.writer, body, offset, request.query, wait),
          )
        },
      }),
    ],
  }
}

export function writeLinesRoute(calls: Calls): RouteTable {
  return {
    readBodies: registerJsonBodies,
    counts: NOTHING_MOVED,
    routes: [
      route({
        method: 'POST',
        url: '/v1/leases/:id/writelines',
        schema: writeLinesSchema(calls.limits),
        problems: [...WRITE_PROBLEMS, 'OFFSET_MISMATCH'],
        run: async request => {
          const lines = await linesOf(request.body)
          const held = calls.leaseOf(request)
          const { offset, timeoutMs } = request.query
          // Before it waits for its turn.
          if (request.query.eof === true) checkHalfClose(held.lease.writer)
          const wait = calls.waitOf(request, timeoutMs)
          return held.write('writelines', wait, () =>
            writePieces(held.lease.writer, lines, offset, request.query, wait),
          )
        },
      }),
    ],
  }
}

export function writerVerbRoutes(calls: Calls): RouteTable {
  return {
    readBodies: registerJsonBodies,
    bodyBytesMax: calls.controlBodyBytesMax,
    counts: NOTHING_MOVED,
    routes: [
      route({
        method: 'POST',
        url: '/v1/leases/:id/drain',
        schema: drainSchema(calls.limits),
        problems: WRITE_PROBLEMS,
        run: (request, reply) => perform(calls, 'drain', request, reply.code(204), drainOnly),
      }),
      route({
        method: 'POST',
        url: '/v1/leases/:id/write_eof',
        schema: WriteEofSchema,
        problems: WRITE_PROBLEMS,
        run: (request, reply) => perform(calls, 'write_eof', request, reply.code(204), endWriting),
      }),
      route({
        method: 'POST',
        url: '/v1/leases/:id/close',
        schema: CloseSchema,
        problems: WRITE_PROBLEMS,
        run: (request, reply) => perform(calls, 'close', request, reply.code(202), writer => writer.close()),
      }),
      route({
        method: 'POST',
        url: '/v1/leases/:id/wait_closed',
        schema: waitClosedSchema(calls.limits),
        problems: WRITE_PROBLEMS,
        run: (request, reply) =>
          perform(calls, 'wait_closed', request, reply.code(204), (writer, wait) => writer.waitClosed(wait)),
      }),
      route({
        method: 'GET',
        url: '/v1/leases/:id/is_closing',
        schema: IsClosingSchema,
        run: request => ({ closing: calls.leaseOf(request).lease.writer.isClosing() }),
      }),
    ],
  }
}

type VerbRequest = FastifyRequest & {
  readonly params: { readonly id: string }
  readonly query: { readonly timeoutMs?: number }
}

/** Runs one verb as an operation of the lease and answers without a body. Errors: LEASE_GONE, those of `run`. */
async function perform(
  calls: Calls,
  name: string,
  request: VerbRequest,
  reply: FastifyReply,
  run: (writer: WriterPort, wait: CallWait) => Promise<void> | void,
): Promise<FastifyReply> {
  const { lease } = calls.leaseOf(request)
  const wait = calls.waitOf(request, request.query.timeoutMs)
  await lease.operation(name, async () => run(lease.writer, wait))
  return reply.send()
}

async function drainOnly(writer: WriterPort, wait: CallWait): Promise<void> {
  try {
    await writer.drain(wait)
  } catch (error) {
    // The writer's own error counts over its whole life; this call has written nothing.
    throw new CountedFailure(error, NOTHING_MOVED)
  }
}

async function linesOf(body: Static<typeof LinesBody>): Promise<Buffer[]> {
  if (!('data' in body)) return await joinedBytes(body, 'utf8', '')
  const { data, encoding = 'utf8' } = body
  return await joinedBytes(data, encoding, 'data.')
}
