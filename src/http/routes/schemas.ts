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
  id: Type.String({
    description: 'The lease id.',
    examples: ['UwZfz-DOtU0eJ3p1YvKq8mD2hXcR5nLbT7sWgA9oEiQ'],
  }),
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

/** `offset` of a read. */
export function readOffset(): TOptional<TInteger> {
  const description =
    'Stream offset of the first byte; default: the next one. What was read before is read again by a lease with ' +
    '`replay`, at least the last 64 KiB, and new bytes follow; before that 410 offset_gone, beyond the next byte 409 ' +
    'offset_mismatch.'
  return Type.Optional(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description }))
}

/** `offset` of a write. */
export function writeOffset(): TOptional<TInteger> {
  const description =
    'Stream offset of the first byte. Bytes that were accepted before are acknowledged and not sent twice; beyond the ' +
    'next byte 409 offset_mismatch.'
  return Type.Optional(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description }))
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
    Type.String({ minLength: 1, description: 'The name of a configured target.', examples: ['demo'] }),
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
  Type.Object(
    {
      protocol: Type.String({ examples: ['TLSv1.3'] }),
      cipher: Type.String({ examples: ['TLS_AES_256_GCM_SHA384'] }),
      alpnProtocol: nullable(
        Type.String({ description: 'What both sides chose; null where nothing was offered.' }),
      ),
      authorized: Type.Boolean({ description: 'Whether the certificate was verified.' }),
      servername: nullable(Type.String({ examples: ['cache.internal'] })),
    },
    { title: 'TlsFacts' },
  ),
)

const ConnectionSchema = Type.Object(
  {
    id: Type.String({ examples: ['c1'] }),
    localAddress: Type.String({ examples: ['127.0.0.1'] }),
    localPort: Type.Integer({ examples: [45_362] }),
    remoteAddress: Type.String({ examples: ['127.0.0.1'] }),
    remotePort: Type.Integer({ examples: [37_445] }),
    tls: TlsFactsSchema,
  },
  { title: 'LeasedConnection' },
)

const LEASE_FIELDS = {
  id: Type.String({
    description: '256 random bits, base64url.',
    examples: ['UwZfz-DOtU0eJ3p1YvKq8mD2hXcR5nLbT7sWgA9oEiQ'],
  }),
  target: Type.String({
    description: 'The name of the target; of a described one, host:port.',
    examples: ['demo'],
  }),
  state: Type.Literal('leased'),
  reused: Type.Boolean({ description: 'Whether the connection was open before this lease.' }),
  expiresAt: nullable(Type.String({ format: 'date-time' })),
  connection: ConnectionSchema,
}

const LeaseSchema: TSchema = Type.Object(LEASE_FIELDS, { title: 'Lease' })

/** The answer to a look at a lease. */
export const LeaseStateSchema: TSchema = Type.Object(
  {
    ...LEASE_FIELDS,
    readOffset: Type.Integer({ description: 'Bytes read so far.' }),
    writeOffset: Type.Integer({ description: 'Bytes accepted for sending so far.' }),
    ageMs: Type.Integer(),
    idleMs: Type.Integer({ description: 'Since its last operation; 0 while one runs.' }),
    lastOperation: nullable(Type.String({ examples: ['readline'] })),
    origin: Type.Optional(Type.String({ description: 'Of a client of a forward: where it came in.' })),
  },
  { title: 'LeaseState' },
)

/** Where what was made is to be found. */
export function locationOf(path: string): Readonly<Record<'location', TSchema>> {
  return { location: always(Type.String({ description: 'The path of what was made.', examples: [path] })) }
}

/** The answer to whoever gets a lease. */
export const LeaseMade: TSchema = answer(
  'The lease.',
  { 'application/json': LeaseSchema },
  locationOf('/v1/leases/UwZfz-DOtU0eJ3p1YvKq8mD2hXcR5nLbT7sWgA9oEiQ'),
)

/** Bytes that were read. The binary form carries in its headers what the JSON form has in fields. */
export function bytesAnswer(title = 'Bytes', extra: Record<string, TSchema> = {}): TSchema {
  const fields = {
    data: Type.String({ examples: ['hello\n'] }),
    encoding: Type.Enum(['utf8', 'base64', 'hex']),
    offset: Type.Integer({ description: 'Stream offset of the first byte.' }),
    eof: Type.Boolean({ description: 'Whether the stream has ended and all of it was read.' }),
    end: Type.Optional(StreamEnd),
    ...extra,
  }
  const types = {
    'application/octet-stream': Type.Unsafe<unknown>({}),
    'application/json': Type.Object(fields, { title, examples: [exampleOf(extra)] }),
  }
  return answer('The bytes.', types, { ...BYTES_HEADERS, ...extraHeaders(extra) })
}

/** Of a stream that goes on. */
function exampleOf(extra: Readonly<Record<string, TSchema>>): object {
  const more = Object.fromEntries(Object.keys(extra).map(name => [name, true]))
  return { data: 'hello\n', encoding: 'utf8', offset: 0, eof: false, ...more }
}

const StreamEnd = Type.Unsafe<string>({
  type: 'string',
  enum: ['fin', 'close_notify', 'truncated', 'reset'],
  description:
    'How the stream ended, once all of it was read. truncated: TLS without close_notify, so that bytes may be ' +
    'missing. As a header: sockpool-end.',
})

/** Only the binary form has them. */
const BYTES_HEADERS: Readonly<Record<string, TSchema>> = {
  'sockpool-offset': Type.Integer({
    minimum: 0,
    description: 'Of the binary form: the stream offset of the first byte.',
  }),
  'sockpool-eof': Type.Boolean({
    description: 'Of the binary form: whether the stream has ended and all of it was read.',
  }),
  'sockpool-end': Type.Unsafe<string>({
    type: 'string',
    enum: ['fin', 'close_notify', 'truncated', 'reset'],
    description: 'Of the binary form: how the stream ended, once all of it was read.',
  }),
}

function extraHeaders(fields: Readonly<Record<string, TSchema>>): Record<string, TSchema> {
  return Object.fromEntries(Object.entries(fields).map(([name, schema]) => [`sockpool-${name}`, schema]))
}

/** A response with several forms, by media type, and the headers that it may have. */
export function answer(
  description: string,
  types: Readonly<Record<string, TSchema>>,
  headers: Readonly<Record<string, TSchema>> = {},
): TSchema {
  const content = Object.fromEntries(Object.entries(types).map(([type, schema]) => [type, { schema }]))
  const hasHeaders = Object.keys(headers).length > 0
  return { description, content, ...(hasHeaders && { headers }) } as TSchema
}

/** A header of a response that is always there. */
export function always(header: TSchema): TSchema {
  return { ...header, required: true } as TSchema
}

/** A body that is bytes, whatever its content type. */
export const BytesBody: TSchema = answer('The bytes.', {
  'application/octet-stream': Type.Unsafe<unknown>({}),
})

/** A response without a body. */
export const NoContent: TSchema = Type.Null({ description: 'Done.' })

/** `{accepted, offset}` of a write. */
export const WriteAnswer: TSchema = Type.Object(
  {
    accepted: Type.Integer({
      description: 'Bytes of this body that were accepted, now or before.',
      examples: [26],
    }),
    offset: Type.Integer({ description: 'Stream offset after the write.', examples: [26] }),
  },
  { title: 'Written' },
)

const PROBLEM_FIELDS = {
  type: Type.String({ description: '`urn:sockpool:problem:` and the code.' }),
  title: Type.String({ description: 'What the code means.' }),
  status: Type.Integer({ description: 'As the status line has it.' }),
  detail: Type.String({ description: 'What happened here.' }),
  code: Type.String({ description: 'One of the codes that the description of this API lists.' }),
  retryable: Type.Boolean({ description: 'Whether the same request may succeed later.' }),
  errors: Type.Optional(
    Type.Array(Type.Object({ path: Type.String(), message: Type.String() }), {
      description: 'The bad fields of an invalid_request.',
    }),
  ),
  bytesDelivered: Type.Optional(Type.Integer({ description: 'Bytes of this call that reached its caller.' })),
  bytesAccepted: Type.Optional(
    Type.Integer({ description: 'Bytes of this call that were accepted for sending.' }),
  ),
  reason: Type.Optional(
    Type.String({ description: 'The finer cause: why a lease is gone, a system code, what TLS found.' }),
  ),
  step: Type.Optional(Type.Integer({ description: 'Which step of a dialog failed, from 1.' })),
  offset: Type.Optional(
    Type.Integer({ description: 'The stream offset that holds, or where in the bytes a parse failed.' }),
  ),
  consumed: Type.Optional(
    Type.Integer({
      description: 'Of a limit_overrun: bytes that readexactly can take without cutting a separator.',
    }),
  ),
  partial: Type.Optional(
    Type.String({ description: 'Of an incomplete_read: the bytes that had come, as base64.' }),
  ),
  expected: Type.Optional(
    nullable(Type.Integer({ description: 'Of an incomplete_read: bytes that were wanted.' })),
  ),
  position: Type.Optional(Type.Integer({ description: 'Place in the queue when the wait ended, from 1.' })),
  expectedWaitMs: Type.Optional(
    Type.Number({ description: 'What a caller would still wait, by the recent pace of the queue.' }),
  ),
  holders: Type.Optional(
    Type.Array(Type.Object({ tenant: Type.String(), leases: Type.Integer() }), {
      description: 'Who holds most of what was waited for.',
    }),
  ),
  requestId: Type.Optional(Type.String({ description: 'Of an internal: the id of its line in the log.' })),
}

/** The `default` response of every route. */
export const ProblemAnswer: TSchema = answer('A problem (RFC 9457).', {
  'application/problem+json': Type.Object(PROBLEM_FIELDS, { title: 'Problem', additionalProperties: true }),
})
