/**
 * The id that a request carries and its answer repeats. Callers may all use the same: on a shared connection each
 * request goes out with one of its own, and the caller's stands in the answer again.
 */
import { errorText } from '../../base/error-text.ts'
import { SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import type { IdField, MultiplexMatch } from '../../config/multiplex.ts'

/** What compares with ===. */
export type MessageId = number | string | bigint

export interface IdMatch {
  /** Ids go from 1 to this. */
  readonly idMax: number
  /** Null where the message has none. */
  idOf(message: Uint8Array): MessageId | null
  /** A copy with another id. Errors: those of a module. */
  withId(message: Uint8Array, id: MessageId): Uint8Array
}

/** What a match's module exports. The bytes are the function's for the time of the call. */
type MatchModule = {
  readonly idOf: (message: Uint8Array) => MessageId | null | undefined
  readonly withId: (message: Uint8Array, id: MessageId) => Uint8Array
  /** Default: 65,535. */
  readonly idMax?: number
}

/** Null where answers are told by their order. Errors: INVALID_REQUEST where a module is none. */
export async function loadIdMatch(match: MultiplexMatch): Promise<IdMatch | null> {
  if (match === 'order') return null
  return 'module' in match ? await loadModule(match.module) : fieldMatch(match)
}

/** Ids beyond 2^48 are not used, as arithmetic on them is not exact; what stands in a message may be any. */
export function fieldMatch({ offset, bytes, endian }: IdField): IdMatch {
  const end = offset + bytes
  const indexOf = (place: number): number => (endian === 'big' ? end - 1 - place : offset + place)
  return {
    idMax: 2 ** (8 * Math.min(bytes, 6)) - 1,
    idOf: message => {
      if (message.length < end) return null
      let low = 0
      for (let place = Math.min(bytes, 6) - 1; place >= 0; place--)
        low = low * 256 + (message[indexOf(place)] ?? 0)
      if (bytes <= 6) return low
      let high = 0
      for (let place = bytes - 1; place >= 6; place--) high = high * 256 + (message[indexOf(place)] ?? 0)
      return high === 0 ? low : (BigInt(high) << 48n) + BigInt(low)
    },
    withId: (message, id) => {
      const copy = new Uint8Array(message)
      let left = BigInt(id)
      for (let place = 0; place < bytes; place++) {
        copy[indexOf(place)] = Number(left & 255n)
        left >>= 8n
      }
      return copy
    },
  }
}

async function loadModule(url: string): Promise<IdMatch> {
  const refuse = (message: string, cause?: unknown): SockpoolError => {
    const errors = [{ path: 'multiplex.match.module', message }]
    return new SockpoolError('INVALID_REQUEST', `multiplex.match.module: ${message}`, { errors, cause })
  }
  const loaded: Partial<Record<string, unknown>> = await import(url).catch(error => {
    throw refuse(`cannot be loaded: ${errorText(error)}`, error)
  })
  const { idOf, withId, idMax = LIMITS.multiplexModuleIdMax } = loaded
  if (typeof idOf !== 'function' || typeof withId !== 'function')
    throw refuse('must export the functions idOf and withId')
  if (!Number.isSafeInteger(idMax) || (idMax as number) < 1)
    throw refuse('must export a whole number from 1 on as idMax, or none')
  return moduleMatch({ idOf, withId, idMax } as Required<MatchModule>)
}

/** Holds a module to what it promises. */
function moduleMatch({ idOf, withId, idMax }: Required<MatchModule>): IdMatch {
  return {
    idMax,
    idOf: message => {
      const id = idOf(message) ?? null
      if (id === null || typeof id === 'number' || typeof id === 'string' || typeof id === 'bigint') return id
      throw new TypeError('idOf must give a number, a string, a bigint or null')
    },
    withId: (message, id) => {
      const changed = withId(message, id)
      if (changed instanceof Uint8Array) return new Uint8Array(changed)
      throw new TypeError('withId must give a Uint8Array')
    },
  }
}
