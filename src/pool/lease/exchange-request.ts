/** What a caller says of one round trip, and that as it was judged: all of it before anything waits or is leased. */
import { CallBounds } from '../../base/call-bounds.ts'
import { END_LIMITS } from '../../base/end-limits.ts'
import { SockpoolError } from '../../base/errors.ts'
import { countOption, invalidOption, optionsObject } from '../../base/options.ts'
import type { WaitOptions } from '../../base/wait.ts'
import type { FrameInput } from '../../frames/frame-input.ts'
import type { FrameSpec } from '../../frames/frame-spec.ts'
import { judgeFrame } from '../../frames/judge-frame.ts'
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
  /** One message: of the target's own frame, or of another. Messages that answer nobody (pushes) are passed over. */
  | { readonly frame: true | FrameInput }
  /** So many messages of the target's own frame, together: a pipeline's answers. */
  | { readonly frames: number }

/** As ReadSpec, judged; `frame`: null for the target's own. */
export type JudgedRead =
  | { readonly line: true }
  | { readonly until: readonly Uint8Array[] }
  | { readonly exactly: number }
  | { readonly eof: true }
  | { readonly none: true }
  | { readonly messages: number; readonly frame: FrameSpec | null }

/** What `exchangeBy` is told beside the target. */
export type ExchangeRequest = WaitOptions & {
  readonly write: string | Uint8Array
  /** Default: one message of the target's own frame. */
  readonly read?: ReadSpec | undefined
  readonly tenant?: string | undefined
  /** As LeaseOptions. */
  readonly weight?: TenantShare['weight']
  readonly origin?: TenantShare['origin']
  /** Bytes that `read: {eof: true}` may gather; default unbounded. */
  readonly limit?: number | undefined
}

/** What is said of the round trip itself, judged. */
export type JudgedTrip = {
  readonly write: string | Uint8Array
  readonly read: JudgedRead
  readonly bounds: CallBounds
  readonly limit: number | undefined
}

export type JudgedExchange = JudgedTrip & { readonly share: TenantShare }

/**
 * Each option judged and read once. `own` finds the frame of the target, where this thread knows it.
 *
 * Errors: INVALID_REQUEST, INVALID_SEPARATOR, and those of `own`.
 */
export function judgedExchange(options: ExchangeRequest, own?: () => FrameSpec | null): JudgedExchange {
  const { write, read, bounds, limit } = judgedTrip(options)
  const { tenant, weight, origin } = options
  const share = judgedShare({ tenant, weight, origin })
  if ('messages' in read && own) frameOr(read.frame, own())
  return { write, read, bounds, share, limit }
}

/** As `judgedExchange`, but for whose it is. */
export function judgedTrip(options: ExchangeRequest): JudgedTrip {
  const { write, read, signal, timeoutMs, allowedMs, limit } = optionsObject(options)
  if (typeof write !== 'string' && !(write instanceof Uint8Array))
    throw invalidOption('write', 'must be a string or a Uint8Array')
  return {
    write,
    read: judgedRead(read),
    bounds: CallBounds.judged({ signal, timeoutMs, allowedMs }),
    limit: limitOption(limit),
  }
}

const LINE: JudgedRead = { line: true }
const EOF: JudgedRead = { eof: true }
const NONE: JudgedRead = { none: true }
const MESSAGE: JudgedRead = { messages: 1, frame: null }

/** A spec of our own, with the one way that the caller's names. */
function judgedRead(spec: ReadSpec | undefined): JudgedRead {
  if (spec === undefined) return MESSAGE
  const said = optionsObject(spec, 'read') as Partial<Record<string, unknown>>
  const { line, until, exactly, eof, none, frame, frames } = said
  const count = (way: unknown): number => (way === undefined ? 0 : 1)
  const ways = [line, until, exactly, eof, none, frame, frames]
  if (ways.reduce((sum: number, way) => sum + count(way), 0) !== 1)
    throw invalidOption('read', 'must say in one way how the reply ends')
  if (line === true) return LINE
  if (eof === true) return EOF
  if (none === true) return NONE
  if (frame === true) return MESSAGE
  if (frame !== undefined) return { messages: 1, frame: judgeFrame(frame, 'read.frame', 'operator') }
  if (frames !== undefined) return { messages: messageCount(frames), frame: null }
  if (exactly !== undefined) return { exactly: countOption('read.exactly', exactly as number, 0) }
  if (until !== undefined) return { until: judgedSeparators(until) }
  throw invalidOption(
    'read',
    'must be { line: true }, { eof: true }, { none: true }, { until }, { exactly }, { frame } or { frames }',
  )
}

/** The frame that a read names, or the target's own. Errors: INVALID_REQUEST where there is neither. */
export function frameOr(named: FrameSpec | null, own: FrameSpec | null): FrameSpec {
  const frame = named ?? own
  if (frame === null)
    throw invalidOption('read', 'must say how the reply ends: the target has no frame of its own')
  return frame
}

function messageCount(frames: unknown): number {
  const count = countOption('read.frames', frames as number, 1)
  if (count <= END_LIMITS.exchangeMessagesMax) return count
  throw invalidOption('read.frames', `must be at most ${END_LIMITS.exchangeMessagesMax}`)
}

function judgedSeparators(until: unknown): readonly Uint8Array[] {
  try {
    return parseSeparators(until as Separator)
  } catch (error) {
    if (error instanceof SockpoolError) throw error
    throw invalidOption('read.until', 'must be a string or a Uint8Array, or an Array of them')
  }
}
