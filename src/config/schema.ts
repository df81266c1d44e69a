/**
 * The config schema: every key of the file, of the environment and behind the flags, with its default, its bounds
 * and its sentence for the reference. There is no other list of keys.
 */

import { DEFAULTS } from '../base/defaults.ts'
import { ISOLATIONS } from '../base/isolation.ts'
import { LIMITS } from '../base/limits.ts'
import { ACCESS_LOGS, TRACES } from './config.ts'
import { fleetSchema } from './fleet-schema.ts'
import { FORWARD_MODES } from './forward.ts'
import { pemFile } from './pem-file.ts'
import {
  choice,
  count,
  duration,
  flag,
  list,
  mapping,
  named,
  oneOf,
  optional,
  type SchemaNode,
  size,
  text,
} from './schema-node.ts'
import { TARGET_NAME, TARGET_NAME_RULE } from './target-name.ts'
import { fileTargetSchema } from './target-schema.ts'

const LISTEN = 'HOST:PORT, [IPV6]:PORT or unix:PATH'
const SERVE = 'HOST:PORT, [IPV6]:PORT, unix:PATH or fd:N with N from 3'

export const FORMAT_NAME = '^[a-z][a-z0-9-]{0,63}$'
/** What a name of a format must be, in words. */
export const FORMAT_NAME_RULE =
  'a name of 1 to 64 lower-case letters, digits and dashes that begins with a letter'

/**
 * `parallelism` is what the machine offers, for the default of `ioWorkers`.
 *
 * The node is a JSON Schema (draft 2020-12) and holds descriptions and defaults throughout.
 */
export function configSchema(parallelism: number): SchemaNode {
  return mapping('The configuration of sockpool.', {
    listen: text(
      'Where the HTTP API is served: `HOST:PORT`, `unix:PATH`, or `fd:N`, a socket that the process was started with.',
      SERVE,
      {
        kind: 'serve',
        default: `${DEFAULTS.listenHost}:${DEFAULTS.listenPort}`,
      },
    ),
    ioWorkers: count(
      'Threads that own the connections; default: available parallelism - 1, at least 1.',
      1,
      LIMITS.workersMax,
      { default: Math.min(LIMITS.workersMax, Math.max(1, parallelism - 1)) },
    ),
    parse: parse(),
    auth: mapping('Who may use the service.', { tokens: list('The bearer tokens.', token()) }),
    http: http(),
    egress: egress(),
    ingress: mapping('Where listeners may bind.', {
      listen: list(
        'Rules `HOST:PORTS`: HOST is an address or a name, PORTS is `8080`, `8000-8999`, `0` (a port that the system picks) or `*`; default: nowhere.',
        text('A rule.', 'a rule HOST:PORTS such as 127.0.0.1:0 or [::1]:8000-8999', { kind: 'listen-rule' }),
      ),
    }),
    limits: limits(),
    targets: named('The named targets.', TARGET_NAME, fileTargetSchema, {
      expects: TARGET_NAME_RULE,
    }),
    forwards: list('Local ports for unmodified programs: each accepted connection is one lease.', forward(), {
      maxItems: LIMITS.forwardsMax,
    }),
    fleet: fleetSchema(),
    metrics: metrics(),
    telemetry: telemetry(),
  })
}

function metrics(): SchemaNode {
  return mapping('Where the metrics are served besides.', {
    listen: optional(
      text(
        'A listener of `/metrics` alone, which asks for no token: `HOST:PORT` or `unix:PATH`; default: none.',
        LISTEN,
        { kind: 'listen' },
      ),
    ),
  })
}

function telemetry(): SchemaNode {
  return mapping('What is told to a collector.', {
    traces: choice(
      'Where spans go: `otlp` sends them by OTLP over HTTP to where the OTEL_ variables say, for which two packages have to be installed.',
      TRACES,
      { default: 'off' },
    ),
  })
}

function parse(): SchemaNode {
  return mapping('Where bytes become values.', {
    workers: count('Threads of each kind of parsing, and processes, at the most.', 1, LIMITS.workersMax, {
      default: DEFAULTS.parseWorkers,
    }),
    isolation: choice(
      'What bytes are decoded in; `auto`: large and compressed ones in processes.',
      ISOLATIONS,
      { default: DEFAULTS.parseIsolation },
    ),
    formats: named(
      'Formats of your own, by name.',
      FORMAT_NAME,
      text(
        'A module that exports `decode`: a `file:` URL, or a path relative to the config file.',
        'a file: URL or the path of a module',
        { kind: 'module', minLength: 1 },
      ),
      { expects: FORMAT_NAME_RULE },
    ),
  })
}

function http(): SchemaNode {
  return mapping('The HTTP side.', {
    hosts: list(
      "Names under which the service is called besides the listener's own.",
      text('A host name, with or without a port.', 'a host name', { pattern: '^[^\\s/@]{1,260}$' }),
    ),
    origins: list(
      'Origins of web pages that may call the service.',
      text('An origin.', 'an origin such as https://ops.example.com', {
        pattern: '^https?://[^\\s/?#@]+$',
      }),
    ),
    threads: count('Threads that serve HTTP.', 1, LIMITS.workersMax, { default: DEFAULTS.httpThreads }),
    accessLog: choice(
      'Which requests are logged: `errors` are those that the service failed (status 500 and above), or that took over a second and do not wait by nature.',
      ACCESS_LOGS,
      { default: 'errors' },
    ),
    tls: optional(
      mapping(
        'TLS on the listener; default: none.',
        {
          cert: pemFile('The certificate chain', 'certificates'),
          key: pemFile('The key of `cert`', 'private key'),
          clientCa: optional(
            pemFile(
              "The authorities that sign client certificates; where set, every caller needs one, and one whose common name (or first DNS or URI name) is a token's name needs no token",
              'certificates',
            ),
          ),
        },
        { keyPair: true },
      ),
    ),
  })
}

function egress(): SchemaNode {
  return mapping('What may be dialled besides the named targets.', {
    allow: list(
      'Rules `HOST[:PORTS]`: HOST is an address, a CIDR, a name, `*.suffix` or `*` (every public address); PORTS is `443`, `6000-6999` or `*`.',
      text('A rule.', 'a rule HOST[:PORTS]', { minLength: 1 }),
    ),
    dnsServers: list(
      "Servers that resolve the callers' names; default: the system's.",
      text('An address, with or without a port.', 'an address such as 10.0.0.53 or [fd00::53]:53', {
        pattern:
          '^(?:\\d{1,3}(?:\\.\\d{1,3}){3}(?::\\d{1,5})?|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*|\\[[0-9A-Fa-f:.]+\\]:\\d{1,5})$',
      }),
    ),
  })
}

function limits(): SchemaNode {
  return mapping('Bounds of the whole service.', {
    leases: count('Leases alive at once.', 1, LIMITS.channelsMax, { default: DEFAULTS.leasesMax }),
    waiters: count('Callers waiting for a lease at once.', 0, LIMITS.waitersMax, {
      default: DEFAULTS.waitersMax,
    }),
    bodyBytes: size(
      'A body that is held in memory whole, a reply that is read to its end, a message to parse.',
      DEFAULTS.bodyBytesMax,
    ),
    operationTimeout: duration(
      'One operation, and the most that a call may ask for.',
      DEFAULTS.operationTimeoutMs,
    ),
    drainTimeout: duration('How long open leases may take to end at shutdown.', DEFAULTS.drainTimeoutMs, 0),
  })
}

function token(): SchemaNode {
  return mapping('One bearer token.', {
    name: text('Who holds it; leases belong to this name.', 'a name of 1 to 64 characters without spaces', {
      pattern: '^[!-~]{1,64}$',
    }),
    sha256: text("The token's SHA-256.", '64 hexadecimal digits', {
      pattern: '^[0-9A-Fa-f]{64}$',
      secret: true,
    }),
    targets: list(
      'Names of targets it may use; `*` stands for any run of characters.',
      text('A pattern.', 'a pattern such as * or cache-*', { minLength: 1 }),
      { default: ['*'] },
    ),
    admin: flag("Whether it may use the verbs and see other tenants' rows.", { default: false }),
    weight: optional(
      count("Its share of a target's connections while others wait too; default: 1.", 1, LIMITS.weightMax),
    ),
    metrics: optional(flag('Whether it may scrape `/metrics`, as an admin may; default: no.')),
    limits: optional(tokenLimits()),
  })
}

function tokenLimits(): SchemaNode {
  const rate = LIMITS.requestRateMax
  return mapping('Bounds of this token alone; default: none.', {
    requestsPerSecond: optional(count('Requests per second; more are refused with 429.', 1, rate)),
    burst: optional(count('Requests at once after a pause; default: `requestsPerSecond`.', 1, rate)),
    leases: optional(
      count('Leases alive at once, those being acquired and exchanges included.', 1, LIMITS.channelsMax),
    ),
    waiters: optional(
      count(
        'Requests that wait for a lease at once; an exchange counts while it runs.',
        1,
        LIMITS.waitersMax,
      ),
    ),
    connections: optional(
      count('Connections open or being opened at once, one for each of its leases.', 1, LIMITS.channelsMax),
    ),
    targets: optional(count('Targets described by its callers in use at once.', 1, LIMITS.targetPoolsMax)),
  })
}

function forward(): SchemaNode {
  return mapping('One forward.', {
    listen: text('Where to accept: `HOST:PORT` or `unix:PATH`.', LISTEN, { kind: 'listen' }),
    target: text('The name of a target.', 'the name of a target', { minLength: 1 }),
    mode: choice(
      'What is lent to a client: `session`, a connection for as long as the client stays; `message`, one only while a message of its is under way.',
      FORWARD_MODES,
      { default: 'session' },
    ),
    tls: optional(
      mapping(
        'TLS that clients speak to the forward; default: none.',
        {
          cert: pemFile('The certificate chain', 'certificates'),
          key: pemFile('The key of `cert`', 'private key'),
        },
        { keyPair: true },
      ),
    ),
    proxyProtocol: oneOf(
      "Whether the target is told each client's address, by a PROXY protocol header before anything else; with it no connection serves a second client.",
      [false, 'v2'],
      'false or v2',
      { default: false },
    ),
  })
}
