/**
 * A target that a caller describes instead of naming one. It is never reused: nobody vouched for where its messages
 * end. A field that nobody knows is refused rather than left out, or its caller would believe that it came to something.
 */
import { SockpoolError } from '../base/errors.ts'
import { LIMITS } from '../base/limits.ts'
import { durationOption, invalidOption } from '../base/options.ts'
import { unixPathFault } from '../base/unix-path.ts'
import { normaliseTarget, type Target } from '../config/target.ts'
import { parseAddress } from '../egress/address.ts'
import type { AdHocTarget, HostTarget, Reach, UnixTarget } from '../pool/target/target-pools.ts'

export type DescribedRules = {
  /** Connections at the most. */
  readonly max: number
  /** False where egress rules say what may be dialled: they know neither paths nor addresses of ours. */
  readonly isOwnAuthority: boolean
}

const HOST_FIELDS: ReadonlySet<string> = new Set([
  'host',
  'port',
  'tls',
  'connectTimeoutMs',
  'localAddress',
  'happyEyeballsDelayMs',
])
const UNIX_FIELDS: ReadonlySet<string> = new Set(['path', 'tls', 'connectTimeoutMs'])
/** Stands where a target needs a host; a unix socket is dialled by its path alone. */
const NOWHERE = { host: 'localhost', port: 1 }

/** Errors: INVALID_REQUEST with the faults; TARGET_DENIED for a unix socket that may not be dialled. */
export function describedTarget(
  described: AdHocTarget,
  rules: DescribedRules,
): { readonly target: Target; readonly reach: Reach } {
  // Types are no defence against a caller without them.
  if (typeof described !== 'object' || described === null)
    throw invalidOption('target', 'must be a name or a mapping')
  // Each field is read once: a getter might say something else the next time.
  const copy = { ...described }
  return copy.path === undefined ? hostTarget(copy, rules) : unixTarget(copy, rules)
}

function hostTarget(
  described: HostTarget,
  { max, isOwnAuthority }: DescribedRules,
): { target: Target; reach: Reach } {
  refuseSurplus(described, HOST_FIELDS)
  const { host, port, tls, connectTimeoutMs, localAddress, happyEyeballsDelayMs } = described
  if (localAddress !== undefined && !isOwnAuthority)
    throw invalidOption('localAddress', 'is for callers that no egress rules bind')
  const pool = poolOf(max, connectTimeoutMs)
  return {
    target: normaliseTarget({ host, port, tls, pool, breaker: false, reuse: 'never' }),
    reach: {
      ...(localAddress === undefined ? {} : { localAddress: checkedAddress(localAddress) }),
      ...(happyEyeballsDelayMs === undefined
        ? {}
        : { happyEyeballsDelayMs: durationOption('happyEyeballsDelayMs', happyEyeballsDelayMs) }),
    },
  }
}

function unixTarget(described: UnixTarget, rules: DescribedRules): { target: Target; reach: Reach } {
  refuseSurplus(described, UNIX_FIELDS)
  const { tls, connectTimeoutMs } = described
  const path = checkedPath(described.path)
  if (!rules.isOwnAuthority) throw new SockpoolError('TARGET_DENIED', 'The target may not be dialled')
  const pool = poolOf(rules.max, connectTimeoutMs)
  const target = normaliseTarget({ ...NOWHERE, tls, pool, breaker: false, reuse: 'never' })
  if (target.tls !== false && target.tls.servername === undefined)
    throw invalidOption('tls.servername', 'is required where there is no host to take it from')
  return { target: { ...target, hosts: [] }, reach: { path } }
}

function poolOf(max: number, timeoutMs: unknown): object {
  const connectTimeoutMs = durationOption('connectTimeoutMs', timeoutMs, 1)
  // Whoever describes a target asks for each of its dials, and hears what becomes of it.
  return { max, maxConnecting: max, connectTimeoutMs, idleTimeoutMs: LIMITS.describedIdleMs }
}

/** The path of a unix socket. Errors: INVALID_REQUEST. */
export function checkedPath(path: unknown): string {
  const fault = unixPathFault(path)
  if (fault === null) return String(path)
  throw invalidOption('path', fault)
}

function checkedAddress(text: unknown): string {
  const address = typeof text === 'string' ? parseAddress(text) : undefined
  if (address) return address.text
  throw invalidOption('localAddress', 'must be an IP address')
}

function refuseSurplus(described: object, known: ReadonlySet<string>): void {
  const surplus = Object.keys(described).filter(key => !known.has(key))
  if (surplus.length === 0) return
  const errors = surplus.map(path => ({ path, message: 'is not a known field' }))
  throw new SockpoolError('INVALID_REQUEST', `${surplus[0]}: is not a known field`, { errors })
}
