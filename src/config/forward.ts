/**
 * A forward: where unmodified programs connect, and which target stands behind it. What no key shows by itself is judged
 * here: whether there is such a target, and what excludes what.
 */
import { FRAME_NAMES } from '../frames/frame-spec.ts'
import { balancedFrame } from '../frames/frames.ts'
import { type ListenAddress, parseListenAddress } from './address.ts'
import { presetFrame } from './presets/presets.ts'
import { field } from './schema-node.ts'

export const FORWARD_MODES = ['session', 'message'] as const
export type ForwardMode = (typeof FORWARD_MODES)[number]

export type ForwardConfig = {
  readonly listen: ListenAddress
  readonly target: string
  readonly mode: ForwardMode
  /** What clients are shown, PEM text; null: they speak plain. */
  readonly tls: { readonly cert: string; readonly key: string } | null
  readonly proxyProtocol: false | 'v2'
}

/** As the schema has interpreted it. */
export type ForwardDraft = Omit<ForwardConfig, 'tls'> & { readonly tls?: NonNullable<ForwardConfig['tls']> }

export function buildForward({ listen, target, mode, tls, proxyProtocol }: ForwardDraft): ForwardConfig {
  return { listen, target, mode, tls: tls ?? null, proxyProtocol }
}

/** Both in the form of the file, and faulty in other ways perhaps, which are not reported here. */
export function checkForwards(
  forwards: unknown,
  targets: unknown,
  report: (path: string, message: string) => void,
): void {
  const places = new Set<string>()
  for (const [index, forward] of (Array.isArray(forwards) ? forwards : []).entries()) {
    const path = `forwards.${index}`
    const [name, listen] = [field(forward, 'target'), field(forward, 'listen')]
    const target = typeof name === 'string' ? field(targets, name) : undefined
    if (typeof name === 'string' && target === undefined)
      report(`${path}.target`, `must be the name of a target, and none is called ${JSON.stringify(name)}`)
    if (typeof listen === 'string' && !isAnyPort(listen)) {
      if (places.has(listen)) report(`${path}.listen`, 'must not be where another forward listens')
      places.add(listen)
    }
    if (field(forward, 'mode') === 'message' && target !== undefined) checkMessages(target, path, report)
    if (field(forward, 'proxyProtocol') === 'v2') checkProxy(forward, target, path, report)
  }
}

/** Many clients share the connections: whose an answer is shows by the count of requests and answers alone. */
function checkMessages(target: unknown, path: string, report: (path: string, message: string) => void): void {
  const frame = field(target, 'frame') ?? presetFrame(field(target, 'preset'))
  if (isCounted(frame)) return
  const need = 'must have a frame by which its requests and answers can be counted, for mode: message'
  report(`${path}.target`, `${need}: not none, smtp, postgres, a delimiter or a module`)
}

/** As `balancedFrame` of the frame that this becomes; what is no frame is reported elsewhere. */
function isCounted(frame: unknown): boolean {
  if (typeof frame !== 'string')
    return field(frame, 'lengthField') !== undefined || field(frame, 'fixed') !== undefined
  const name = FRAME_NAMES.find(known => known === frame)
  return name === undefined || balancedFrame(name) !== null
}

/** The header names one client: a connection that bears it is that client's alone. */
function checkProxy(
  forward: unknown,
  target: unknown,
  path: string,
  report: (path: string, message: string) => void,
): void {
  const where = `${path}.proxyProtocol`
  if (field(forward, 'mode') === 'message')
    report(where, 'cannot stand beside mode: message, where many clients share a connection')
  else if (field(target, 'reuse') === 'clean')
    report(where, "cannot stand beside reuse: clean of its target, as each connection is one client's alone")
  else if (field(field(target, 'onConnect'), 'module') !== undefined)
    report(where, 'cannot stand beside an onConnect of its target that is a module')
}

function isAnyPort(listen: string): boolean {
  const address = parseListenAddress(listen)
  return address?.kind === 'tcp' && address.port === 0
}
