/** What an operator's rows are made of: targets, connections, workers, and the figures of the whole service. */
import { type TInteger, type TProperties, type TSchema, Type } from 'typebox'
import { LIMITS } from '../../base/limits.ts'

/** A row has at least these fields; the pool may add more. */
const row = (fields: TProperties, options: { readonly title?: string; readonly description?: string } = {}) =>
  Type.Object(fields, { ...options, additionalProperties: true })

const count = Type.Integer()
const counted = (description: string): TInteger => Type.Integer({ description })
const perhaps = (schema: TSchema) => Type.Optional(schema)
const orNull = (schema: TSchema, description: string): TSchema =>
  Type.Union([schema, Type.Null()], { description })

const Slots = {
  connecting: counted('Being dialled.'),
  idle: counted('Free.'),
  leased: counted('Out on lease.'),
  multiplexed: perhaps(counted('Shared by many callers at once.')),
  quarantined: perhaps(counted('Gone, but for an end that somebody still holds.')),
  closing: counted('Ending.'),
}

export const Target: TSchema = row(
  {
    name: Type.String({ description: 'Of a described target: host:port.', examples: ['demo'] }),
    tenant: perhaps(orNull(Type.String(), 'Whose described target it is; null for a configured one.')),
    state: perhaps(
      Type.String({ description: 'active, paused, disabled or draining.', examples: ['active'] }),
    ),
    connections: perhaps(row({ ...Slots, max: count, min: perhaps(count) })),
    waiters: perhaps(counted('Callers that wait for a connection.')),
    expectedWaitMs: perhaps(
      orNull(
        Type.Number(),
        'What a new caller would wait; 0 where there is room, null where nobody knows yet.',
      ),
    ),
    breaker: perhaps(Type.String({ description: 'closed, open, half_open or off.', examples: ['closed'] })),
    hosts: perhaps(
      Type.Array(
        row({
          host: Type.String({ examples: ['127.0.0.1'] }),
          port: count,
          state: Type.String({ description: 'up, ejected or slow_start.', examples: ['up'] }),
          connections: count,
        }),
      ),
    ),
    multiplex: perhaps(
      orNull(
        row({
          connections: count,
          inFlight: counted('Requests whose answers are awaited, orphans among them.'),
          queued: count,
          orphans: counted('Answers that are awaited for callers that have gone.'),
          unsolicited: counted('Messages so far that answered nobody.'),
        }),
        'Null where nothing is shared.',
      ),
    ),
    reuse: perhaps(Type.String({ description: 'clean or never.', examples: ['clean'] })),
    opened: perhaps(counted('Connections opened so far.')),
    closed: perhaps(
      Type.Unsafe<Record<string, number>>({
        type: 'object',
        additionalProperties: { type: 'integer' },
        description: 'Connections closed so far, by reason.',
        examples: [{ unread: 2 }],
      }),
    ),
    served: perhaps(counted('Leases so far, those that are out included.')),
  },
  { title: 'Target' },
)

const CONNECTION_FIELDS = {
  id: Type.String({ examples: ['c1'] }),
  target: perhaps(Type.String({ examples: ['demo'] })),
  tenant: perhaps(orNull(Type.String({ examples: ['ops'] }), 'Who holds it, or held it last.')),
  state: perhaps(
    Type.String({
      description: 'connecting, idle, leased, multiplexed, quarantined or closing.',
      examples: ['leased'],
    }),
  ),
  worker: perhaps(counted('The I/O worker in which it lives.')),
  localAddress: perhaps(Type.String({ examples: ['127.0.0.1'] })),
  localPort: perhaps(count),
  remoteAddress: perhaps(Type.String({ examples: ['127.0.0.1'] })),
  remotePort: perhaps(count),
  tls: perhaps(Type.Boolean()),
  ageMs: perhaps(count),
  uses: perhaps(counted('Leases it has served, the present one included.')),
  leaseAgeMs: perhaps(orNull(count, 'Of the present lease.')),
  leaseIdleMs: perhaps(orNull(count, 'Of the present lease: since its last operation, or its last byte.')),
  leaseBytesIn: perhaps(orNull(count, 'Read by the present lease.')),
  leaseBytesOut: perhaps(orNull(count, 'Written by the present lease.')),
  lastOperation: perhaps(orNull(Type.String({ examples: ['readline'] }), 'Of the present lease.')),
}

export const Connection: TSchema = row(CONNECTION_FIELDS, { title: 'Connection' })

const Operation = Type.Object(
  {
    name: Type.String({
      description: 'connect, lease, read, write, exchange, parse, release, …',
      examples: ['readline'],
    }),
    at: Type.String({ format: 'date-time', description: 'When it began.' }),
    ms: Type.Number({ description: 'Milliseconds that it took, or has taken so far.' }),
    bytesIn: count,
    bytesOut: count,
    outcome: Type.String({
      description:
        'ok; the code of the problem that it ended with; of a release, its reason; running where it is not over.',
      examples: ['ok'],
    }),
  },
  { title: 'Operation' },
)

export const ConnectionWithOperations: TSchema = row(
  {
    ...CONNECTION_FIELDS,
    operations: Type.Array(Operation, {
      maxItems: LIMITS.flightOperationsMax,
      description: 'The last operations, oldest first.',
    }),
  },
  { title: 'ConnectionReport' },
)

export const Worker: TSchema = row(
  {
    id: perhaps(count),
    kind: perhaps(Type.String({ description: 'io, http or parse.', examples: ['io'] })),
    state: perhaps(
      Type.String({
        description:
          'serving, or draining beside its successor of the same id; of a thread that parses, busy or idle.',
        examples: ['serving'],
      }),
    ),
    threadId: perhaps(count),
    connections: perhaps(counted('Open to targets; of a thread that serves HTTP, to callers.')),
    requests: perhaps(counted('HTTP requests so far; of a thread that serves HTTP.')),
    work: perhaps(
      Type.String({
        description:
          'Of a thread that parses: inputs (complete ones), messages (of live connections), modules (on live connections) or calls (modules without one).',
        examples: ['messages'],
      }),
    ),
    tasks: perhaps(
      counted('What a thread that parses was given so far; all of it is done unless it is busy.'),
    ),
    dialled: perhaps(counted('Connects ever attempted.')),
    bytesIn: perhaps(count),
    bytesOut: perhaps(count),
    utilization: perhaps(Type.Number({ description: 'Share of its time that it was busy, 0 to 1.' })),
    missedWakes: perhaps(counted('Wakes that only a timer found; 0 unless something is wrong.')),
  },
  { title: 'Worker' },
)

export const Stats: TSchema = Type.Object(
  {
    leases: count,
    waiters: counted('Callers that wait for a connection.'),
    connections: row({
      connecting: count,
      idle: count,
      leased: count,
      multiplexed: count,
      quarantined: count,
      closing: count,
    }),
    targets: counted('Configured targets, and those that callers have described of late.'),
    parse: Type.Object({
      workers: counted('Parse threads of each kind that there may be.'),
      busy: counted('Parse threads of all kinds that work.'),
      queued: counted('Parse calls that wait for a thread, or for the rest of their message.'),
      inPlace: counted('Small inputs so far that needed no thread.'),
      long: Type.Array(
        row({
          format: Type.String({ examples: ['ndjson'] }),
          bytes: counted('Bytes of the input.'),
          bytesDone: counted('Bytes that have become values, where the format can say so.'),
          values: counted('Values so far.'),
          ms: counted('Milliseconds since it was asked for.'),
        }),
        { description: 'Complete inputs whose parse takes longer than a second.' },
      ),
    }),
    memory: Type.Object({
      rss: counted('Bytes of the process.'),
      heapUsed: counted('Bytes of the heap of the thread that serves HTTP.'),
      ringBytes: counted(
        'Bytes set aside for the rings of connections, resident only where they were touched, and for what leases with ' +
          '`replay` keep.',
      ),
    }),
    uptimeMs: count,
  },
  { title: 'Stats' },
)
