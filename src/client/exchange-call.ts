/** One round trip as the service takes it: the bytes as they are where the query can say the rest, else all of it as JSON. */

import { SockpoolError } from '../base/errors.ts'
import type { ExchangeReply } from '../pool/lease/exchange.ts'
import { type ExchangeRequest, judgedTrip, type ReadSpec } from '../pool/lease/exchange-request.ts'
import type { AdHocTarget } from '../pool/target/target-pools.ts'
import type { StreamEnding } from '../streams/byte-source.ts'
import { asBase64, plainJson } from './plain-json.ts'
import type { ServiceCall } from './service-caller.ts'
import type { WireAnswer } from './wire.ts'
import { wireTarget } from './wire-target.ts'

export type ExchangeCall = {
  readonly bounds: Pick<ExchangeRequest, 'signal' | 'timeoutMs'>
  make(timeoutMs: number | undefined): Pick<ServiceCall, 'query' | 'json' | 'body' | 'headers'>
}

/** Errors: INVALID_REQUEST, INVALID_SEPARATOR; UNSUPPORTED for what the token says, and not its holder. */
export function exchangeCall(target: string | AdHocTarget, options: ExchangeRequest): ExchangeCall {
  const { write, bounds, read: judged } = judgedTrip(options)
  const { read } = options
  refuseShare(options)
  const bytes = typeof write === 'string' ? Buffer.from(write) : write
  const separators = 'until' in judged ? judged.until : null
  const headers = { accept: 'application/octet-stream' }
  const word = separators === null ? wordOf(read) : null
  if (typeof target === 'string' && word !== null) {
    const query = { target, ...(word !== '' && { read: word }) }
    return { bounds, make: timeoutMs => ({ query: { ...query, timeoutMs }, body: bytes, headers }) }
  }
  const json = {
    target: wireTarget(target),
    write: { base64: asBase64(bytes) },
    ...(separators !== null
      ? { read: { until: separators.map(asBase64) }, separatorEncoding: 'base64' }
      : read !== undefined && { read: plainJson(read) }),
  }
  return { bounds, make: timeoutMs => ({ json: { ...json, timeoutMs }, headers }) }
}

/** What the service answered. */
export function exchangeReply({ header, bytes }: WireAnswer): ExchangeReply {
  return {
    data: bytes,
    reused: header('sockpool-reused') === 'true',
    offset: Number(header('sockpool-offset') ?? 0),
    eof: header('sockpool-eof') === 'true',
    ending: (header('sockpool-end') as StreamEnding | null) ?? null,
  }
}

/** Errors: UNSUPPORTED. Whose a call is, and what share it has, is the token's to say. */
export function refuseShare(options: object): void {
  const field = (['tenant', 'weight', 'origin'] as const).find(
    name => (options as Partial<Record<string, unknown>>)[name] !== undefined,
  )
  if (field !== undefined)
    throw new SockpoolError('UNSUPPORTED', `${field}: over HTTP the token says whose a call is`)
}

/** The spelling of a query, empty for the default; null where it has none. */
function wordOf(read: ReadSpec | undefined): string | null {
  if (read === undefined) return ''
  if ('line' in read) return 'line'
  if ('eof' in read) return 'eof'
  if ('none' in read) return 'none'
  if ('exactly' in read) return `exactly:${read.exactly}`
  if ('frames' in read) return `frames:${read.frames}`
  if (!('frame' in read)) return null
  if (read.frame === true) return 'frame'
  return typeof read.frame === 'string' ? `frame:${read.frame}` : null
}
