/**
 * Values as NDJSON, sent while the body they come from is still being read. What goes wrong before the first of them is an
 * ordinary problem; afterwards the last line is `{"problem": {…}}`, and the answer breaks off: a value could look like that
 * line, but only an answer that ends as HTTP says is whole.
 */
import type { FastifyRequest } from 'fastify'
import { LIMITS } from '../../base/limits.ts'
import type { BodyAhead } from '../bytes/body-ahead.ts'
import { lingerClose } from '../lingering-close.ts'
import { toProblem } from '../problems.ts'
import type { OutStream } from './out-stream.ts'
import type { RecordBatch, RecordSteps } from './record-steps.ts'

export type ValueBatch = Extract<RecordBatch, { kind: 'values' }>

export type RecordAnswerOptions = {
  readonly request: FastifyRequest
  readonly steps: RecordSteps
  readonly ahead: BodyAhead
  readonly out: OutStream
  /** The client has gone. */
  readonly signal: AbortSignal
}

/** Sends the batch and all that follow; what broke the answer off, or null. It never rejects. */
export async function sendRecords(first: ValueBatch, options: RecordAnswerOptions): Promise<unknown> {
  const { request, ahead, out, signal } = options
  try {
    await pass(first, options)
    out.finish()
    return null
  } catch (error) {
    // Nobody is there to be told.
    if (signal.aborted || out.destroyed) out.destroy()
    else await breakOff(error, out, request)
    return error
  } finally {
    ahead.stop()
  }
}

async function pass(first: ValueBatch, { steps, ahead, out }: RecordAnswerOptions): Promise<void> {
  for (let batch: RecordBatch = first; batch.kind === 'values'; batch = await steps.next()) {
    for (const { buffer, byteOffset, length } of batch.texts)
      await ahead.whileBlocked(() => out.write(Buffer.from(buffer, byteOffset, length)))
    if (batch.failure !== null) throw batch.failure
    if (batch.isLast) return
  }
}

/** The client gets every byte up to the line, and then an end of the connection where HTTP has none. */
async function breakOff(error: unknown, out: OutStream, request: FastifyRequest): Promise<void> {
  const { body } = toProblem(error)
  const isInternal = body.code === 'internal'
  if (isInternal) request.log.error({ err: error }, 'internal error in a streamed answer')
  const problem = isInternal ? { ...body, requestId: request.id } : body
  try {
    await out.write(`${JSON.stringify({ problem })}\n`)
    await out.passed()
  } catch {
    // The client has gone meanwhile, or was cut as it read nothing.
    return
  }
  lingerClose(request.raw.socket, LIMITS.httpLingerMs)
}
