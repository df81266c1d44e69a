/** What the service does on a lease by itself, while the stream stands aside: reads a message, starts TLS. */
import { CallBounds } from '../base/call-bounds.ts'
import { END_LIMITS } from '../base/end-limits.ts'
import { hasCode, SockpoolError } from '../base/errors.ts'
import type { ConnectionFacts } from '../pool/lease/connection-facts.ts'
import type { StreamReader } from '../streams/reading/stream-reader.ts'
import type { StartTlsOptions } from '../streams/writing/stream-writer.ts'
import type { RemoteKeeper } from './remote-keeper.ts'
import type { ServiceCall } from './service-caller.ts'
import { answerMsOf, beyondService, withTimeout } from './timed-call.ts'
import { jsonOf, type WireAnswer } from './wire.ts'
import { plainOptions } from './wire-target.ts'

type Body = Readonly<Record<string, unknown>>

/** A call that reads one message: by which route, and what its body says of the message. */
export type MessageCall =
  | { readonly verb: 'parse'; readonly body: Body }
  | { readonly verb: 'readframe'; readonly body: Body | null }

/**
 * Has the service read one message; nobody else reads meanwhile.
 *
 * Errors: READ_BUSY, READ_TIMEOUT, ABORTED, those of the route. After a time-out or an abort nothing was removed. UNSUPPORTED
 * where bytes that only this end has would come before the message.
 */
export async function readThere(
  keeper: RemoteKeeper,
  reader: StreamReader,
  call: MessageCall,
  bounds: CallBounds,
): Promise<WireAnswer> {
  const name = `${call.verb}()`
  const { source } = keeper.stream
  const startedMs = performance.now()
  return (await reader.lend(async () => {
    const before = reader.offset
    try {
      if (!source.isWhole) throw heldHere(name)
      // Whoever wants to hear of a reset at once does, as by any read.
      if (call.verb === 'readframe') await reader.peek(0, bounds)
      const answer = await keeper.stream.apart(name, bounds, async () => {
        try {
          const left = bounds.left(startedMs, performance.now())
          const told = await keeper.stream.sink.whileApart(
            (...part) => writeThere(keeper, ...part),
            () => untilRead(keeper, call, left),
          )
          source.advance(await offsetAfter(keeper, told))
          return told
        } catch (error) {
          // Also a read that fails may have taken bytes. Where that cannot be told, this error is the one to hear of.
          await keeper.look().then(
            ({ readOffset }) => source.advance(readOffset ?? before),
            () => 'the first error tells',
          )
          throw error
        }
      })
      return { count: source.position - before, interrupted: false, outcome: { ok: true, value: answer } }
    } catch (error) {
      const count = source.position - before
      return { count, interrupted: isGivenUp(error), outcome: { ok: false, error: error as Error } }
    }
  }, name)) as WireAnswer
}

/** From where it was first asked for: then it is the same message, however often that is. */
function untilRead(keeper: RemoteKeeper, call: MessageCall, bounds: CallBounds): Promise<WireAnswer> {
  const from = keeper.isReplayed ? { offset: keeper.stream.source.position } : {}
  return beyondService(bounds.timeoutMs, 'READ_TIMEOUT', timeoutMs =>
    keeper.call({
      name: `${call.verb}()`,
      method: 'POST',
      verb: call.verb,
      ...sayingOf(call, { ...from, timeoutMs }),
      repeat: keeper.isReplayed ? 'always' : 'unsent',
      bounds: { signal: bounds.signal },
      timeoutCode: 'READ_TIMEOUT',
      answerMs: answerMsOf(timeoutMs),
    }),
  )
}

function writeThere(
  keeper: RemoteKeeper,
  body: Uint8Array,
  offset: number,
  signal: AbortSignal,
): Promise<WireAnswer> {
  const call = { name: 'write()', method: 'POST', verb: 'write', repeat: 'always' } as const
  return keeper.call({ ...call, query: { offset }, body, bounds: { signal } })
}

type Where = { readonly offset?: number; readonly timeoutMs: number | undefined }

/** A parse has all that it is told in its body, a read of bytes in its query: but for the frame, which may be an object. */
function sayingOf(call: MessageCall, where: Where): Pick<ServiceCall, 'query' | 'json' | 'headers'> {
  switch (call.verb) {
    case 'parse':
      return { json: { ...call.body, ...where }, headers: { accept: 'application/json' } }
    case 'readframe': {
      const bytes = { query: where, headers: { accept: 'application/octet-stream' } }
      return call.body === null ? bytes : { ...bytes, json: call.body }
    }
    default:
      return call satisfies never
  }
}

/** The stream offset behind the message. */
async function offsetAfter(keeper: RemoteKeeper, { header, bytes }: WireAnswer): Promise<number> {
  const start = header('sockpool-offset')
  if (start !== null) return Number(start) + bytes.length
  return (await keeper.look({})).readOffset ?? 0
}

function isGivenUp(error: unknown): boolean {
  return hasCode(error, 'READ_TIMEOUT') || hasCode(error, 'ABORTED')
}

function heldHere(name: string): SockpoolError {
  return new SockpoolError(
    'UNSUPPORTED',
    `${name}: bytes that the service does not have stand before the message: read them first`,
  )
}

/** Errors: those of the route; the connection is destroyed then, unless nothing has happened. */
export async function startTlsThere(
  keeper: RemoteKeeper,
  reader: StreamReader,
  { signal, timeoutMs, allowedMs: _allowedMs, ...options }: StartTlsOptions,
  flushed: () => Promise<void>,
): Promise<void> {
  const name = 'startTls()'
  if (reader.isWaiting) throw new SockpoolError('READ_BUSY', `${name} called while a read is waiting`)
  const { source } = keeper.stream
  if (!source.isWhole) throw heldHere(name)
  const bounds = CallBounds.judged({ signal, timeoutMs: timeoutMs ?? END_LIMITS.tlsHandshakeTimeoutMs })
  try {
    await flushed()
    const answer = await keeper.stream.apart(name, bounds, () =>
      withTimeout(bounds.timeoutMs, ms =>
        keeper.call({
          name,
          method: 'POST',
          verb: 'start_tls',
          query: { timeoutMs: ms },
          json: plainOptions(options),
          repeat: 'unsent',
          bounds,
          timeoutCode: 'CONNECT_TIMEOUT',
          answerMs: answerMsOf(ms),
        }),
      ),
    )
    keeper.secured(jsonOf<Pick<ConnectionFacts, 'tls'>>(answer).tls)
  } catch (error) {
    if (error instanceof SockpoolError && error.code !== 'INVALID_REQUEST')
      keeper.stream.over({ kind: 'failed', error })
    throw error
  }
}
