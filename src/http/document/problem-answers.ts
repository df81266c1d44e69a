/** The answers of a route that are problems: one for each status, with the codes that it may have there. */
import { ERROR_TITLES } from '../../base/error-titles.ts'
import {
  ERROR_CODES,
  type ErrorCode,
  type ErrorDetails,
  IncompleteReadError,
  LimitOverrunError,
  SockpoolError,
} from '../../base/errors.ts'
import { CODINGS } from '../../parse/formats/decompress.ts'
import { type Problem, toProblem } from '../problems.ts'

const PROBLEM_TYPE = 'application/problem+json'

/** What errors of a code carry besides their words. */
const DETAILS: Readonly<Partial<Record<ErrorCode, ErrorDetails>>> = {
  INVALID_REQUEST: { errors: [{ path: 'timeoutMs', message: 'must be integer' }] },
  LEASE_GONE: { reason: 'expired' },
  OFFSET_MISMATCH: { offset: 26 },
  OFFSET_GONE: { offset: 26 },
  PARSE_FAILED: { offset: 7 },
  RATE_LIMITED: { expectedWaitMs: 800 },
  POOL_EXHAUSTED: { expectedWaitMs: 40 },
  CONNECT_FAILED: { reason: 'EHOSTUNREACH' },
  DNS_FAILED: { reason: 'ENOTFOUND' },
  TLS_FAILED: { reason: 'CERT_HAS_EXPIRED' },
  DIALOG_FAILED: { step: 2 },
  WAIT_TIMEOUT: { position: 3, expectedWaitMs: 1_200, holders: [{ tenant: 'ops', leases: 8 }] },
}

/** Codes whose status alone says that the caller comes again later. */
const LATER: ReadonlySet<number> = new Set([429, 503])

type Component = {
  readonly name: string
  readonly value: { readonly description: string; readonly [field: string]: unknown }
}

/** `{description, content, headers?}` of one status, under a name that tells which codes it has. */
export function problemAnswer(status: number, codes: readonly ErrorCode[]): Component {
  const names = codes.map(code => code.toLowerCase())
  const code = names.length === 1 ? { const: names[0] } : { enum: names }
  const properties = { status: { const: status }, code }
  const narrowed = { type: 'object', properties, required: ['status', 'code'] }
  return {
    name: [status, ...names].join('.'),
    value: {
      description: codes.map(each => `\`${each.toLowerCase()}\`: ${ERROR_TITLES[each]}.`).join(' '),
      ...headersOf(status),
      content: {
        [PROBLEM_TYPE]: {
          schema: { allOf: [{ $ref: '#/components/schemas/Problem' }, narrowed] },
          examples: Object.fromEntries(
            names.map(name => [name, { $ref: `#/components/examples/${name}` }] as const),
          ),
        },
      },
    },
  }
}

/** The example of a code, as the service would answer it. */
export function problemExample(code: ErrorCode): object {
  return { summary: ERROR_TITLES[code], value: exemplary(code).body }
}

/** The codes by their status, in ascending order. */
export function byStatus(codes: readonly ErrorCode[]): readonly (readonly [number, readonly ErrorCode[]])[] {
  const groups = new Map<number, ErrorCode[]>()
  for (const code of codes) {
    const { status } = ERROR_CODES[code]
    groups.set(status, [...(groups.get(status) ?? []), code])
  }
  return [...groups].toSorted(([one], [other]) => one - other)
}

function exemplary(code: ErrorCode): Problem {
  const title = ERROR_TITLES[code]
  if (code === 'INCOMPLETE_READ') return toProblem(new IncompleteReadError(Buffer.from('half'), 8))
  if (code === 'LIMIT_OVERRUN') return toProblem(new LimitOverrunError(title, 65_536))
  return toProblem(new SockpoolError(code, title, DETAILS[code]))
}

function headersOf(status: number): object {
  if (status === 401)
    return {
      headers: {
        'WWW-Authenticate': {
          description: 'How to say who calls.',
          required: true,
          schema: { type: 'string' },
          example: 'Bearer realm="sockpool"',
        },
      },
    }
  if (status === 415)
    return {
      headers: {
        'Accept-Encoding': {
          description: 'The codings that the route knows, where the body had another one.',
          schema: { type: 'string' },
          example: CODINGS.join(', '),
        },
      },
    }
  if (status === 426)
    return {
      headers: {
        Upgrade: {
          description: 'The protocol to ask for.',
          required: true,
          schema: { type: 'string' },
          example: 'websocket',
        },
      },
    }
  if (!LATER.has(status)) return {}
  return {
    headers: {
      'Retry-After': {
        description: 'Seconds after which the same request may succeed.',
        required: true,
        schema: { type: 'integer', minimum: 1 },
        example: 1,
      },
    },
  }
}
