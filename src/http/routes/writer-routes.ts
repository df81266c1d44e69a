/**
 * asyncio.StreamWriter over HTTP. A write body is never held whole: each chunk goes to the writer as it comes, and
 * the next is taken only when the writer has room, so a slow target slows its client down.
 */
import type { Readable } from 'node:stream'
import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import type { FastifyRequest } from 'fastify'
import { type TObject, Type } from 'typebox'
import { SockpoolError } from '../../base/errors.ts'
import { ByteEncodingSchema, bytesOf } from '../bytes/byte-text.ts'
import { clientSignalOf } from '../bytes/client-signal.ts'
import { RequestBody, registerJsonBodies, registerStreamedBodies } from '../bytes/request-body.ts'
import { principalOf } from '../door/principal.ts'
import type { HeldLease, LeaseTable } from '../leases/lease-table.ts'
import type { AppParts, LeaseWriter, WaitOptions } from '../parts.ts'
import { CountedFailure, invalidField, problemHandler } from '../problems.ts'
import { BytesBody, LeaseParams, NoContent, ProblemAnswer, timeoutMs, WriteAnswer } from './schemas.ts'

const CLOSED = { additionalProperties: false }
const COUNTS = { bytesDelivered: 0, bytesAccepted: 0 }
const tags = ['writer']

const flag = (description: string) => Type.Optional(Type.Boolean({ description }))

const drain = flag('Wait until the peer has taken what was written, down to the low water mark.')

/** What follows the bytes of a write. */
interface Ending {
  readonly drain?: boolean
  readonly eof?: boolean
}

export function writerRoutes(parts: AppParts, table: LeaseTable): FastifyPluginCallbackTypebox {
  const { limits } = parts
  const heldBy = (request: FastifyRequest & { params: { id: string } }): HeldLease =>
    table.find(request.params.id, principalOf(request).tenant)
  const waitOf = (request: FastifyRequest & { query: { timeoutMs?: number } }): Required<WaitOptions> => ({
    signal: clientSignalOf(request),
    timeoutMs: request.query.timeoutMs ?? limits.operationTimeoutMs,
  })

  const streamed: FastifyPluginCallbackTypebox = (app, _options, done) => {
    registerStreamedBodies(app)
    app.route({
      method: 'POST',
      url: '/v1/leases/:id/write',
      schema: {
        tags,
        summary: 'Write the body',
        description:
          'Any content type; the body is streamed. `timeoutMs` bounds each wait for the peer, not the whole. With ' +
          '`offset`, bytes that were accepted before are acknowledged and not sent twice.',
        body: BytesBody,
        params: LeaseParams,
        querystring: Type.Object(
          {
            drain,
            eof: flag('End the writing side after the body.'),
            offset: Type.Optional(
              Type.Integer({ minimum: 0, description: 'Stream offset of the first byte of the body.' }),
            ),
            timeoutMs: timeoutMs(limits),
          },
          CLOSED,
        ),
        response: { 200: WriteAnswer, default: ProblemAnswer },
      },
      handler: request => {
        const held = heldBy(request)
        const wait = waitOf(request)
        const body = request.body ? new RequestBody(request.body as Readable, clientSignalOf(request)) : null
        return held.writes.take(wait, () =>
          held.lease.operation('write', () =>
            writeStream(held.lease.writer, body, request.query.offset, request.query, wait),
          ),
        )
      },
    })
    done()
  }

  return (app, _options, done) => {
    app.setErrorHandler(problemHandler(COUNTS))
    registerJsonBodies(app)
    app.register(streamed)

    app.route({
      method: 'POST',
      url: '/v1/leases/:id/writelines',
      schema: {
        tags,
        summary: 'Write a list of texts',
        description: 'One after the other, nothing added between them.',
        params: LeaseParams,
        querystring: Type.Object({ drain, timeoutMs: timeoutMs(limits) }, CLOSED),
        body: LinesBody,
        response: { 200: WriteAnswer, default: ProblemAnswer },
      },
      handler: request => {
        const list = linesOf(request.body)
        const held = heldBy(request)
        const wait = waitOf(request)
        const { writer } = held.lease
        return held.writes.take(wait, () =>
          held.lease.operation('writelines', () =>
            counted(writer, async () => {
              await writeAll(writer, list, wait)
              await finish(writer, request.query, wait)
            }),
          ),
        )
      },
    })

    const verb = (summary: string, query: TObject = Type.Object({}, CLOSED)) => ({
      tags,
      summary,
      params: LeaseParams,
      querystring: query,
      response: { 204: NoContent, default: ProblemAnswer },
    })
    const waiting = Type.Object({ timeoutMs: timeoutMs(limits) }, CLOSED)

    app.route({
      method: 'POST',
      url: '/v1/leases/:id/drain',
      schema: verb('Wait until the peer has taken enough of what was written', waiting),
      handler: async (request, reply) => {
        const { lease } = heldBy(request)
        try {
          await lease.operation('drain', () => lease.writer.drain(waitOf(request)))
        } catch (error) {
          // The writer counts over its whole life; this call has written nothing.
          throw new CountedFailure(error, COUNTS)
        }
        return reply.code(204).send()
      },
    })

    app.route({
      method: 'POST',
      url: '/v1/leases/:id/write_eof',
      schema: verb('End the writing side; reading goes on'),
      handler: async (request, reply) => {
        const { lease } = heldBy(request)
        await lease.operation('write_eof', async () => endWriting(lease.writer))
        return reply.code(204).send()
      },
    })

    app.route({
      method: 'POST',
      url: '/v1/leases/:id/close',
      schema: {
        ...verb('Close the connection after what was written is sent'),
        response: { 202: NoContent, default: ProblemAnswer },
      },
      handler: async (request, reply) => {
        const { lease } = heldBy(request)
        await lease.operation('close', async () => lease.writer.close())
        return reply.code(202).send()
      },
    })

    app.route({
      method: 'POST',
      url: '/v1/leases/:id/wait_closed',
      schema: verb('Wait until the connection is closed', waiting),
      handler: async (request, reply) => {
        const { lease } = heldBy(request)
        await lease.operation('wait_closed', () => lease.writer.waitClosed(waitOf(request)))
        return reply.code(204).send()
      },
    })

    app.route({
      method: 'GET',
      url: '/v1/leases/:id/is_closing',
      schema: {
        ...verb('Whether the connection is closing or closed'),
        response: { 200: Type.Object({ closing: Type.Boolean() }), default: ProblemAnswer },
      },
      handler: request => ({ closing: heldBy(request).lease.writer.isClosing() }),
    })
    done()
  }
}

const LinesBody = Type.Union([
  Type.Array(Type.String()),
  Type.Object({ data: Type.Array(Type.String()), encoding: Type.Optional(ByteEncodingSchema) }, CLOSED),
])

type Lines =
  | readonly string[]
  | { readonly data: readonly string[]; readonly encoding?: 'utf8' | 'base64' | 'hex' }

function linesOf(body: Lines): Buffer[] {
  if ('data' in body)
    return body.data.map((text, index) => bytesOf(text, body.encoding ?? 'utf8', `data.${index}`))
  return body.map((text, index) => bytesOf(text, 'utf8', String(index)))
}

/** Writes a body as it comes. Whatever fails, the problem says how much of the body was accepted. */
async function writeStream(
  writer: LeaseWriter,
  body: RequestBody | null,
  start: number | undefined,
  ending: Ending,
  wait: Required<WaitOptions>,
): Promise<WriteResult> {
  let repeated = repeatedBytes(writer.offset, start)
  if (ending.eof === true && !writer.canWriteEof()) throw noHalfClose()
  return await counted(writer, async count => {
    for (let isFirst = true; ; isFirst = false) {
      const chunk = (await body?.next()) ?? null
      if (chunk === null) break
      // Backpressure: no more is written, and so no more is read from the client, before there is room.
      if (!isFirst) await writer.drain(wait)
      const skipped = Math.min(repeated, chunk.length)
      repeated -= skipped
      count(skipped)
      await writeAll(writer, [chunk.subarray(skipped)], wait)
    }
    await finish(writer, ending, wait)
  })
}

interface WriteResult {
  /** Bytes of the body that are accepted, now or by a write that this one repeats. */
  readonly accepted: number
  readonly offset: number
}

/** Runs a write and tells what it moved, by the writer's own count and what `run` adds to it. */
async function counted(
  writer: LeaseWriter,
  run: (count: (bytes: number) => void) => Promise<void>,
): Promise<WriteResult> {
  const start = writer.offset
  let repeated = 0
  const accepted = (): number => repeated + writer.offset - start
  try {
    await run(bytes => {
      repeated += bytes
    })
    return { accepted: accepted(), offset: writer.offset }
  } catch (error) {
    throw new CountedFailure(error, { bytesDelivered: 0, bytesAccepted: accepted() })
  }
}

/** Writes pieces. A writer drops what comes after its end, as asyncio's; a caller over HTTP must hear of that. */
async function writeAll(
  writer: LeaseWriter,
  pieces: readonly Uint8Array[],
  wait: WaitOptions,
): Promise<void> {
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0)
  const before = writer.offset
  writer.writeLines(pieces)
  if (writer.offset - before === length) return
  await writer.drain(wait).catch(async error => {
    // As asyncio's, it calls every connection reset that is gone; waitClosed tells one that broke from one that
    // its holder closed, and its error is the one that broke it.
    if (!(error instanceof SockpoolError) || error.code !== 'CONNECTION_RESET') throw error
    await writer.waitClosed(wait)
  })
  throw new SockpoolError('WRITE_CLOSED', 'the connection is closing')
}

async function finish(writer: LeaseWriter, ending: Ending, wait: WaitOptions): Promise<void> {
  if (ending.drain === true) await writer.drain(wait)
  if (ending.eof === true) endWriting(writer)
}

function endWriting(writer: LeaseWriter): void {
  if (!writer.canWriteEof()) throw noHalfClose()
  writer.writeEof()
}

/** How many leading bytes of a body that starts at `start` have been accepted already. */
function repeatedBytes(offset: number, start: number | undefined): number {
  if (start === undefined) return 0
  if (start <= offset) return offset - start
  throw new SockpoolError('OFFSET_MISMATCH', `the next byte to write is ${offset}, not ${start}`, { offset })
}

function noHalfClose(): SockpoolError {
  return invalidField('eof', 'TLS cannot close one direction alone')
}
