/**
 * What a target may say, once for the config file and once for the library. They differ in two things: a file
 * names PEM files, the library hands over PEM text.
 */

import { Type } from 'typebox'
import { DEFAULTS } from '../base/defaults.ts'
import { LIMITS } from '../base/limits.ts'
import { FRAME_NAMES } from '../frames/frame-spec.ts'
import { dialog, dialogOrModule } from './dialog-schema.ts'
import { multiplexSchema } from './multiplex.ts'
import { presetSchema } from './presets/presets.ts'
import {
  choice,
  count,
  duration,
  either,
  flag,
  list,
  mapping,
  optional,
  type SchemaNode,
  text,
} from './schema-node.ts'
import { type PemLeaf, tlsSchema } from './target-tls.ts'

export const BALANCES = ['round-robin', 'least-leased', 'priority'] as const
export const REUSE_RULES = ['clean', 'never'] as const

/** A target in a config file: ca, cert and key name files. */
export const fileTargetSchema: SchemaNode = targetSchema((description, pem) =>
  text(`${description}, the path of a PEM file relative to the config file`, 'the path of a PEM file', {
    kind: 'file',
    pem,
    minLength: 1,
  }),
)

/** A target given to the library: ca, cert and key are PEM text. */
export const libraryTargetSchema: SchemaNode = targetSchema((description, pem) =>
  text(`${description}, as PEM text`, 'PEM text', { kind: 'pem', pem, secret: true }),
)

function targetSchema(pem: PemLeaf): SchemaNode {
  return mapping('Where to connect and how; one pool of connections.', {
    ...placeSchemas(),
    tls: optional(
      either('TLS to the target: true, false, or how.', 'true, false or a mapping', [
        flag('With the settings of the platform, or not at all.'),
        tlsSchema(pem),
      ]),
    ),
    pool: poolSchema(),
    breaker: optional(
      either('When a target that fails is left alone; default: true.', 'true, false or a mapping', [
        flag('With the defaults of the mapping, or never.'),
        breakerSchema(),
      ]),
    ),
    preset: optional(presetSchema()),
    onConnect: optional(dialogOrModule('Run on each new connection before its first lease.', pem)),
    probe: optional(dialog('Run on a connection that lay idle before it is leased again.', pem)),
    onRelease: optional(dialog('Run at each release; a connection that fails it is closed.', pem)),
    frame: optional(frameSchema()),
    multiplex: optional(multiplexSchema()),
    reuse: optional(
      choice(
        'Whether a connection that looks clean at release, by the count of its messages where there is a `frame`, serves again; default: clean where `frame` or `onRelease` is set, else never.',
        REUSE_RULES,
      ),
    ),
    leakDetection: optional(duration('Log a lease that was held for longer; default: off.')),
  })
}

/** Where to connect. */
function placeSchemas(): Readonly<Record<'host' | 'port' | 'hosts' | 'balance', SchemaNode>> {
  return {
    host: optional(
      text('The name or address to dial; or `hosts`.', 'a host name or an IP address', { kind: 'host' }),
    ),
    port: optional(count('The port to dial, with `host`.', 1, 65_535)),
    hosts: optional(
      list(
        'Several places of one service, each `HOST:PORT`; instead of `host` and `port`.',
        text('`HOST:PORT` or `[IPV6]:PORT`.', 'HOST:PORT with a port from 1 to 65535', { kind: 'host-port' }),
        { default: undefined, minItems: 1, maxItems: 256 },
      ),
    ),
    balance: optional(
      choice(
        'Which of several hosts is dialled first: each in turn, the one with the fewest leases, or the first that is up; default: round-robin.',
        BALANCES,
      ),
    ),
  }
}

function poolSchema(): SchemaNode {
  return mapping("The pool's bounds.", {
    min: count(
      'Connections kept warm; they are dialled one after another, at random within 100 ms.',
      0,
      LIMITS.channelsMax,
      { default: DEFAULTS.poolMin },
    ),
    max: count('Connections at the most.', 1, LIMITS.channelsMax, { default: DEFAULTS.poolMax }),
    idleTimeout: duration('How long a connection may lie idle before it is closed.', DEFAULTS.idleTimeoutMs),
    maxLifetime: duration(
      'How old a connection may grow; it ends up to 10 % earlier at random, never under a lease.',
      DEFAULTS.maxLifetimeMs,
    ),
    waitTimeout: duration('How long a caller waits for a lease; 0 does not wait.', DEFAULTS.waitTimeoutMs, 0),
    leaseTtl: duration('How long a lease lives without an operation.', DEFAULTS.leaseTtlMs),
    connectTimeout: duration(
      'Name, TCP, TLS and the dialog of a new connection together; any other dialog has as long.',
      DEFAULTS.connectTimeoutMs,
    ),
    maxUses: count('Leases that one connection serves; 0 for no bound.', 0, 1_000_000_000, {
      default: DEFAULTS.poolMaxUses,
    }),
    probeAfter: duration(
      'How long a connection may lie idle until `probe` is run before it is lent.',
      DEFAULTS.probeAfterMs,
    ),
    keepalive: duration(
      'How often `probe` is run on each idle connection; 0 only before it is lent.',
      DEFAULTS.keepaliveMs,
      0,
    ),
    maxConnecting: count('Dials under way at once.', 1, LIMITS.channelsMax, {
      default: DEFAULTS.poolMaxConnecting,
    }),
  })
}

function breakerSchema(): SchemaNode {
  return mapping('After how many failures, and for how long.', {
    failures: count('Dials and dialogs that fail in a row until callers are refused at once.', 1, 1_000, {
      default: DEFAULTS.breakerFailures,
    }),
    openFor: duration('How long until one dial may try again.', DEFAULTS.breakerOpenForMs),
  })
}

function frameSchema(): SchemaNode {
  const forms = '{lengthField: …}, {delimiter: …}, {fixed: N} or {module: FILE}'
  return Type.Unknown({
    description: 'How one message ends: by a protocol, its length, its marks, its size, or a module.',
    kind: 'frame',
    expects: `one of ${FRAME_NAMES.join(', ')}, or ${forms}`,
  })
}
