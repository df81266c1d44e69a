/** What a caller says of one round trip, and that as it was judged: all of it before anything waits or is leased. */
import { CallBounds } from '../../base/call-bounds.ts'
import { SockpoolError } from '../../base/errors.ts'
import { countOption, invalidOption, optionsObject } from '../../base/options.ts'
import type { WaitOptions } from '../../base/wait.ts'
import { limitOption } from '../../streams/reading/read-options.ts'
import { parseSeparators } from '../../streams/reading/separator-search.ts'
import type { Separator } from '../../streams/reading/stream-reader.ts'
import { judgedShare, type TenantShare } from './lease-options.ts'

/**
 * How one reply ends. `until`: the separator that ends first; `eof`: the stream does, after one byte at least; `none`: no
 * reply is read.
 */
export type ReadSpec =
  | { readonly line: true }
  | { readonly until: Separator | readonly Separator[] }
  | { readonly exactly: number }
  | { readonly eof: true }
  | { readonly none: true }

/** What `exchangeBy` is told beside the target. */
export type ExchangeRequest = WaitOptions & {
  readonly write: string | Uint8Array
  readonly read: ReadSpec
  readonly tenant?: string | undefined
  /** As LeaseOptions. */
  readonly weight?: TenantShare['weight']
  readonly origin?: TenantShare['origin']
  /** Bytes that `read: {eof: true}` may gather; default unbounded. */
  readonly limit?: number | undefined
}

export type JudgedExchange = {
  readonly write: string | Uint8Array
  readonly read: ReadSpec
  readonly bounds: CallBounds
  readonly share: TenantShare
  readonly limit: number | undefined
}

/** Each option judged and read once. Errors: INVALID_REQUEST, INVALID_SEPARATOR. */
export function judgedExchange(options: ExchangeRequest): JudgedExchange {
  const { write, read, signal, timeoutMs, allowedMs, tenant, weight, origin, limit } = optionsObject(options)
  if (typeof write !== 'string' && !(write instanceof Uint8Array))
    throw invalidOption('write', 'must be a string or a Uint8Array')
  return {
    write,
    read: judgedRead(read),
    bounds: CallBounds.judged({ signal, timeoutMs, allowedMs }),
    share: judgedShare({ tenant, weight, origin }),
    limit: limitOption(limit),
  }
}

const LINE: ReadSpec = { line: true }
const EOF: ReadSpec = { eof: true }
const NONE: ReadSpec = { none: true }

/** A spec of our own, with the one way that the caller's names. */
function judgedRead(spec: ReadSpec): ReadSpec {
  const { line, until, exactly, eof, none } = optionsObject(spec, 'read') as Partial<Record<string, unknown>>
  const count = (way: unknown): number => (way === undefined ? 0 : 1)
  if (count(line) + count(until) + count(exactly) + count(eof) + count(none) !== 1)
    throw invalidOption('read', 'must say in one way how the reply ends')
  if (line === true) return LINE
  if (eof === true) return EOF
  if (none === true) return NONE
  if (exactly !== undefined) return { exactly: countOption('read.exactly', exactly as number, 0) }
  if (until !== undefined) return { until: judgedSeparators(until) }
  throw invalidOption(
    'read',
    'must be { line: true }, { eof: true }, { none: true }, { until } or { exactly }',
  )
}

function judgedSeparators(until: unknown): readonly Uint8Array[] {
  try {
    return parseSeparators(until as Separator)
  } catch (error) {
    if (error instanceof SockpoolError) throw error
    throw invalidOption('read.until', 'must be a string or a Uint8Array, or an Array of them')
  }
}
