/**
 * Many callers on one connection: what a target says of it, and what can be wrong with that. The answers find their callers
 * by their order, or by an id that each request carries and its answer repeats.
 */
import { DEFAULTS } from '../base/defaults.ts'
import { LIMITS } from '../base/limits.ts'
import { FIELD_ENDIANS, FRAMES_UNSHARED } from '../frames/frame-spec.ts'
import { childPath } from './complete.ts'
import {
  choice,
  count,
  duration,
  either,
  field,
  isRecord,
  mapping,
  optional,
  type SchemaNode,
  text,
} from './schema-node.ts'

export const UNSOLICITED_RULES = ['drop', 'close'] as const

/** Where an id stands in each message. */
export type IdField = {
  /** Bytes before it. */
  readonly offset: number
  /** Its bytes, 1 to 8. */
  readonly bytes: number
  readonly endian: (typeof FIELD_ENDIANS)[number]
}

/** `module`: the `file:` URL of one that exports `idOf` and `withId`. */
export type MultiplexMatch = 'order' | IdField | { readonly module: string }

export type MultiplexSettings = {
  /** Connections that are shared; they count among the pool's. */
  readonly connections: number
  /** Requests under way on each. */
  readonly inFlight: number
  readonly match: MultiplexMatch
  /** Milliseconds that the answer to a call that was given up is awaited. */
  readonly orphanMs: number
  /** What follows an answer that nobody awaits. */
  readonly onUnsolicited: (typeof UNSOLICITED_RULES)[number]
}

/** As the schema has interpreted it: what depends on the rest has no default yet. */
export type MultiplexDraft = Omit<MultiplexSettings, 'match' | 'onUnsolicited'> & {
  readonly match?: 'order' | Partial<IdField> | { readonly module: string }
  readonly onUnsolicited?: MultiplexSettings['onUnsolicited']
}

export function multiplexSchema(): SchemaNode {
  return mapping('Has many exchanges share connections at once; needs a frame. Default: off.', {
    connections: count('Connections that are shared; they count among `pool.max`.', 1, LIMITS.channelsMax, {
      default: DEFAULTS.multiplexConnections,
    }),
    inFlight: count('Requests under way on each of them.', 1, LIMITS.multiplexInFlightMax, {
      default: DEFAULTS.multiplexInFlight,
    }),
    match: optional(
      either(
        'How an answer finds its request: `order`, or by an id at a fixed place, or by a module; default: order.',
        'order, {offset, bytes, endian} or {module: FILE}',
        [choice('By their order.', ['order']), matchSchema()],
      ),
    ),
    orphanMs: duration(
      'How long the answer to a call that was given up is awaited. By order the connection is closed then, by id the id is given up.',
      DEFAULTS.multiplexOrphanMs,
    ),
    onUnsolicited: optional(
      choice(
        'What follows a message that answers nobody: it is dropped, or the connection is closed; default: close by order, drop by id.',
        UNSOLICITED_RULES,
      ),
    ),
  })
}

function matchSchema(): SchemaNode {
  return mapping('By an id: where it stands, or a module that knows.', {
    offset: optional(count('Bytes before the id.', 0, LIMITS.frameOffsetMax)),
    bytes: optional(count('Bytes of the id.', 1, 8)),
    endian: optional(choice('The order of its bytes; default: big.', FIELD_ENDIANS)),
    module: optional(
      text(
        'A module that exports `idOf(message)` and `withId(message, id)`: a `file:` URL or a path beside the config file.',
        'a file: URL or the path of a module',
        { kind: 'module', minLength: 1 },
      ),
    ),
  })
}

type Report = (path: string, message: string) => void

/** The faults that no single field shows; `frame`: as the target, or its preset, has it. The input may be faulty otherwise. */
export function checkMultiplex(target: unknown, frame: unknown, path: string, report: Report): void {
  const multiplex = field(target, 'multiplex')
  if (!isRecord(multiplex)) return
  const at = childPath(path, 'multiplex')
  if (frame === undefined) report(at, 'needs a frame, which says what one message is')
  else if (FRAMES_UNSHARED.some(name => name === frame))
    report(
      at,
      `cannot be for the frame ${String(frame)}, whose requests belong to a conversation of their own`,
    )
  const connections = field(multiplex, 'connections')
  const max = field(field(target, 'pool'), 'max')
  if (typeof connections === 'number' && typeof max === 'number' && connections > max)
    report(childPath(at, 'connections'), `must not be above pool.max, which is ${max}`)
  checkMatch(multiplex, at, report)
}

function checkMatch(multiplex: Readonly<Record<string, unknown>>, path: string, report: Report): void {
  const match = field(multiplex, 'match')
  if (!isRecord(match)) return
  const at = childPath(path, 'match')
  const [offset, bytes, module] = ['offset', 'bytes', 'module'].map(key => field(match, key))
  if (module !== undefined) {
    for (const key of ['offset', 'bytes', 'endian'])
      if (field(match, key) !== undefined) report(childPath(at, key), 'cannot stand beside module')
    return
  }
  if (offset === undefined) report(childPath(at, 'offset'), 'is required: the bytes before the id')
  if (bytes === undefined) report(childPath(at, 'bytes'), 'is required: the bytes of the id')
  const inFlight = field(multiplex, 'inFlight')
  if (bytes === 1 && typeof inFlight === 'number' && inFlight > LIMITS.multiplexByteIdsMax)
    report(
      childPath(path, 'inFlight'),
      `must be at most ${LIMITS.multiplexByteIdsMax}, or an id of one byte might be used again too early`,
    )
}

/** What a faultless draft means. */
export function multiplexOf({
  connections,
  inFlight,
  match = 'order',
  orphanMs,
  onUnsolicited,
}: MultiplexDraft): MultiplexSettings {
  const byOrder = match === 'order'
  return {
    connections,
    inFlight,
    match: byOrder || 'module' in match ? match : idField(match),
    orphanMs,
    onUnsolicited: onUnsolicited ?? (byOrder ? 'close' : 'drop'),
  }
}

function idField({ offset = 0, bytes = 1, endian = 'big' }: Partial<IdField>): IdField {
  return { offset, bytes, endian }
}
