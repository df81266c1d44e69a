/** What the service does on a lease by itself, while the stream stands aside: reads a message, starts TLS. */
import { CallBounds } from '../base/call-bounds.ts'
import { SockpoolError } from '../base/errors.ts'
import { LIMITS } from '../base/limits.ts'
import type { ConnectionFacts } from '../pool/lease/connection-facts.ts'
import type { StreamReader } from '../streams/reading/stream-reader.ts'
import type { StartTlsOptions } from '../streams/writing/stream-writer.ts'
import type { RemoteKeeper } from './remote-keeper.ts'
import { answerMsOf, withTimeout } from './timed-call.ts'
import type { WireAnswer } from './wire.ts'

/** A call that reads one message: by which route, and with what in its body or query. */
export type MessageCall = {
  readonly name: string
  readonly verb: 'parse' | 'readframe'
  readonly json?: Readonly<Record<string, unknown>>
}

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
  const { source } = keeper.stream
  const startedMs = performance.now()
  return (await reader.lend(async () => {
    const before = reader.offset
    try {
      if (!source.isWhole) throw heldHere(call.name)
      const answer = await keeper.stream.apart(call.name, bounds, async () => {
        try {
          const told = await untilRead(keeper, call, bounds.left(startedMs, performance.now()))
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
  }, call.name)) as WireAnswer
}

/** The service bounds each of its waits; a caller that set none waits on. */
async function untilRead(keeper: RemoteKeeper, call: MessageCall, bounds: CallBounds): Promise<WireAnswer> {
  const { verb, name, json } = call
  // From here on it is the same message, however often it is asked for.
  const from = keeper.isReplayed ? { offset: keeper.stream.source.position } : {}
  for (;;) {
    try {
      return await withTimeout(bounds.timeoutMs, timeoutMs =>
        keeper.call({
          name,
          method: 'POST',
          verb,
          ...(json === undefined
            ? { query: { ...from, timeoutMs } }
            : { json: { ...json, ...from, timeoutMs } }),
          headers: { accept: verb === 'parse' ? 'application/json' : 'application/octet-stream' },
          repeat: keeper.isReplayed ? 'always' : 'unsent',
          bounds: { signal: bounds.signal },
          timeoutCode: 'READ_TIMEOUT',
          answerMs: answerMsOf(timeoutMs),
        }),
      )
    } catch (error) {
      const isUnbounded = bounds.timeoutMs === undefined || bounds.timeoutMs === Number.POSITIVE_INFINITY
      if (!(error instanceof SockpoolError) || error.code !== 'READ_TIMEOUT' || !isUnbounded) throw error
    }
  }
}

/** The stream offset behind the message. */
async function offsetAfter(keeper: RemoteKeeper, { header, bytes }: WireAnswer): Promise<number> {
  const start = header('sockpool-offset')
  if (start !== null) return Number(start) + bytes.length
  return (await keeper.look({})).readOffset ?? 0
}

function isGivenUp(error: unknown): boolean {
  return error instanceof SockpoolError && (error.code === 'READ_TIMEOUT' || error.code === 'ABORTED')
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
  const bounds = CallBounds.judged({ signal, timeoutMs: timeoutMs ?? LIMITS.tlsHandshakeTimeoutMs })
  const tls = Object.fromEntries(Object.entries(options).map(([key, value]) => [key, asText(value)]))
  try {
    await flushed()
    const answer = await keeper.stream.apart(name, bounds, () =>
      withTimeout(bounds.timeoutMs, ms =>
        keeper.call({
          name,
          method: 'POST',
          verb: 'start_tls',
          query: { timeoutMs: ms },
          json: tls,
          repeat: 'unsent',
          bounds,
          timeoutCode: 'CONNECT_TIMEOUT',
          answerMs: answerMsOf(ms),
        }),
      ),
    )
    keeper.secured((JSON.parse(answer.bytes.toString('utf8')) as Pick<ConnectionFacts, 'tls'>).tls)
  } catch (error) {
    if (error instanceof SockpoolError && error.code !== 'INVALID_REQUEST')
      keeper.stream.over({ kind: 'failed', error })
    throw error
  }
}

/** PEM in bytes is text all the same. */
function asText(value: unknown): unknown {
  return value instanceof Uint8Array ? new TextDecoder().decode(value) : value
}
