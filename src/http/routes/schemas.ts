/**
 * The schemas that several routes share. Objects are closed: an unknown field is an error, so that no wish is ignored
 * without a word. Maxima come from the app's own limits, so OpenAPI shows the real ones.
 */
import {
  type TInteger,
  type TObject,
  type TOptional,
  type TSchema,
  type TString,
  type TUnsafe,
  Type,
} from 'typebox'
import { LIMITS } from '../../base/limits.ts'
import type { AppLimits, CallerTls, TargetChoice } from '../ports.ts'

/** Makes an object refuse fields that its schema does not name. */
export const CLOSED: { readonly additionalProperties: false } = { additionalProperties: false }

/** `/v1/leases/{id}` */
export const LeaseParams: TObject<{ id: TString }> = Type.Object({
  id: Type.String({ description: 'The lease id.' }),
})

/** `timeoutMs` of a query or a body. */
export function timeoutMs(limits: AppLimits): TOptional<TInteger> {
  const maximum = limits.operationTimeoutMs
  const description = `Milliseconds that the operation may wait; default ${maximum}.`
  return Type.Optional(Type.Integer({ minimum: 1, maximum, description }))
}

/** `ttlMs` of a lease. */
export function ttlMs(): TInteger {
  const description = 'Milliseconds without an operation after which the lease expires.'
  return Type.Integer({ minimum: 1, maximum: LIMITS.leaseTtlMsMax, description })
}

/** TLS options of a target that a caller describes. */
export const TlsSchema: TUnsafe<CallerTls> = Type.Unsafe<CallerTls>(
  Type.Object(
    {
      servername: Type.Optional(
        Type.String({
          minLength: 1,
          maxLength: 253,
          description: 'Asked for and verified; default: the host.',
        }),
      ),
      ca: Type.Optional(Type.String({ minLength: 1, description: 'The authorities to trust, PEM text.' })),
      alpn: Type.Optional(
        Type.Array(Type.String({ minLength: 1, maxLength: 255 }), {
          maxItems: 16,
          description: 'Protocols to offer, best first.',
        }),
      ),
      minVersion: Type.Optional(
        Type.Enum(['TLSv1.2', 'TLSv1.3'], { description: 'The oldest version to speak.' }),
      ),
    },
    CLOSED,
  ),
)

/** A configured target's name, or where to connect and how. */
export const TargetSchema: TUnsafe<TargetChoice> = Type.Unsafe<TargetChoice>(
  Type.Union([
    Type.String({ minLength: 1, description: 'The name of a configured target.' }),
    Type.Object(
      {
        host: Type.String({ minLength: 1, maxLength: 253, description: 'The name or address to dial.' }),
        port: Type.Integer({ minimum: 1, maximum: 65_535, description: 'The port to dial.' }),
        tls: Type.Optional(Type.Union([Type.Boolean(), TlsSchema])),
      },
      CLOSED,
    ),
  ]),
)

const nullable = (schema: TSchema): TSchema => Type.Union([schema, Type.Null()])

/** What the TLS handshake agreed on; null on a plain connection. */
export const TlsFactsSchema: TSchema = nullable(
  Type.Object({
    protocol: Type.String(),
    cipher: Type.String(),
    alpnProtocol: nullable(Type.String()),
    authorized: Type.Boolean(),
    servername: nullable(Type.String()),
  }),
)

const ConnectionSchema = Type.Object({
  id: Type.String(),
  localAddress: Type.String(),
  localPort: Type.Integer(),
  remoteAddress: Type.String(),
  remotePort: Type.Integer(),
  tls: TlsFactsSchema,
})

const LEASE_FIELDS = {
  id: Type.String({ description: '256 random bits, base64url.' }),
  target: Type.String(),
  state: Type.Literal('leased'),
  reused: Type.Boolean({ description: 'Whether the connection was open before this lease.' }),
  expiresAt: nullable(Type.String({ format: 'date-time' })),
  connection: ConnectionSchema,
}

/** The answer to a request for a lease. */
export const LeaseSchema: TSchema = Type.Object(LEASE_FIELDS)

/** The answer to a look at a lease. */
export const LeaseStateSchema: TSchema = Type.Object({
  ...LEASE_FIELDS,
  readOffset: Type.Integer({ description: 'Bytes read so far.' }),
  writeOffset: Type.Integer({ description: 'Bytes accepted for sending so far.' }),
  ageMs: Type.Integer(),
  idleMs: Type.Integer(),
  lastOperation: nullable(Type.String()),
  origin: Type.Optional(Type.String({ description: 'Of a client of a forward: where it came in.' })),
})

/** Bytes that were read. The binary form carries in its headers what the JSON form has in fields. */
export function bytesAnswer(extra: Record<string, TSchema> = {}): TSchema {
  const fields = {
    data: Type.String(),
    encoding: Type.Enum(['utf8', 'base64', 'hex']),
    offset: Type.Integer({ description: 'Stream offset of the first byte.' }),
    eof: Type.Boolean({ description: 'Whether the stream has ended and all of it was read.' }),
    end: Type.Optional(
      Type.Enum(['fin', 'close_notify', 'truncated', 'reset'], {
        description:
          'How the stream ended, once all of it was read. truncated: TLS without close_notify, so that bytes may be ' +
          'missing. As a header: sockpool-end.',
      }),
    ),
    ...extra,
  }
  return answer('The bytes.', {
    'application/octet-stream': Type.Unsafe<unknown>({}),
    'application/json': Type.Object(fields),
  })
}

/** A response with several forms, by media type. */
export function answer(description: string, types: Record<string, TSchema>): TSchema {
  const content = Object.fromEntries(Object.entries(types).map(([type, schema]) => [type, { schema }]))
  return { description, content } as TSchema
}

/** A body that is bytes, whatever its content type. */
export const BytesBody: TSchema = answer('The bytes.', {
  'application/octet-stream': Type.Unsafe<unknown>({}),
})

/** A response without a body. */
export const NoContent: TSchema = Type.Null({ description: 'Done.' })

/** `{accepted, offset}` of a write. */
export const WriteAnswer: TSchema = Type.Object({
  accepted: Type.Integer({ description: 'Bytes of this body that were accepted, now or before.' }),
  offset: Type.Integer({ description: 'Stream offset after the write.' }),
})

/** The `default` response of every route. */
export const ProblemAnswer: TSchema = answer('A problem (RFC 9457).', {
  'application/problem+json': Type.Object(
    {
      type: Type.String(),
      title: Type.String(),
      status: Type.Integer(),
      detail: Type.String(),
      code: Type.String({ description: 'One of the codes that the description of this API lists.' }),
      retryable: Type.Boolean(),
      errors: Type.Optional(
        Type.Array(Type.Object({ path: Type.String(), message: Type.String() }), {
          description: 'The bad fields of an invalid_request.',
        }),
      ),
      bytesDelivered: Type.Optional(Type.Integer()),
      bytesAccepted: Type.Optional(Type.Integer()),
      requestId: Type.Optional(Type.String()),
    },
    { additionalProperties: true },
  ),
})
