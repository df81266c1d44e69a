/** The part of the config schema that tells of other instances. */
import { LIMITS } from '../base/limits.ts'
import { ENGINE_LOSSES } from './fleet.ts'
import { pemFile } from './pem-file.ts'
import {
  choice,
  count,
  field,
  isRecord,
  mapping,
  named,
  optional,
  type SchemaNode,
  text,
} from './schema-node.ts'
import { TARGET_NAME, TARGET_NAME_RULE } from './target-name.ts'

/** An instance's name: it stands in the engine's keys, in metrics' labels and in signed headers. */
const INSTANCE_NAME = '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$'

/** How an origin looks; whether it is one, `checkFleet` judges. */
const ORIGIN = '^https?://[^\\s/?#@]+$'
const DEFAULT_PORT = { 'http:': /:80$/, 'https:': /:443$/ } as const

export function fleetSchema(): SchemaNode {
  return optional(
    mapping('Other instances that share the caps of targets and answer for each other; default: none.', {
      url: text(
        'The engine that all of them know: a server of the Redis protocol.',
        'a URL redis://HOST[:PORT] or rediss://HOST[:PORT]',
        { pattern: '^(redis|rediss)://[^\\s/]+(/\\d{1,5})?$', secret: true },
      ),
      name: text(
        'What this instance is called, and no other; one that starts under the name of another takes its place.',
        'a name of 1 to 64 letters, digits, dots, dashes or underscores that begins with a letter or a digit',
        { pattern: INSTANCE_NAME },
      ),
      advertise: text('Where other instances reach this one.', 'an origin such as http://10.1.2.3:7070', {
        pattern: ORIGIN,
      }),
      caps: named(
        'Connections of all instances together, by the name of the target.',
        TARGET_NAME,
        count('Connections at the most.', 1, LIMITS.fleetCapMax),
        { expects: TARGET_NAME_RULE },
      ),
      onEngineLoss: choice(
        'How many connections a capped target may have while the engine is away: `share`, its cap divided by the instances last seen; `closed`, none; `local`, as many as its own `pool.max`.',
        ENGINE_LOSSES,
        { default: 'share' },
      ),
      expected: count(
        'Instances that there are at the least, for the share of each while the engine is away.',
        1,
        LIMITS.fleetInstancesMax,
        { default: 1 },
      ),
      secret: optional(
        text(
          "What authenticates the owner in a lease's id, the same for all of them, best as `env:NAME`; default: one that the engine keeps, so that whoever reads the engine knows it.",
          `a text of at least ${LIMITS.fleetSecretBytesMin} characters`,
          { minLength: LIMITS.fleetSecretBytesMin, maxLength: 1_024, secret: true },
        ),
      ),
      tls: optional(fleetTls()),
    }),
  )
}

function fleetTls(): SchemaNode {
  return mapping(
    'TLS from this instance to others.',
    {
      ca: optional(pemFile('The authorities that sign the certificates of others', 'certificates')),
      cert: optional(pemFile('The certificate chain that this one shows', 'certificates')),
      key: optional(pemFile('The key of `cert`', 'private key')),
    },
    { keyPair: true },
  )
}

/** What one key of a fleet cannot show by itself. */
export function checkFleet(
  fleet: unknown,
  targets: unknown,
  report: (path: string, message: string) => void,
): void {
  const caps = field(fleet, 'caps')
  for (const name of Object.keys(isRecord(caps) ? caps : {}))
    if (field(targets, name) === undefined)
      report(`fleet.caps.${name}`, 'must be the name of a configured target')
  const advertise = field(fleet, 'advertise')
  if (typeof advertise === 'string' && new RegExp(ORIGIN).test(advertise) && !isOrigin(advertise))
    report(
      'fleet.advertise',
      'must be an origin such as http://10.1.2.3:7070, with no more than host and port',
    )
  const tls = field(fleet, 'tls')
  const has = (key: string): boolean => field(tls, key) !== undefined
  if (has('cert') !== has('key'))
    report(`fleet.tls.${has('cert') ? 'key' : 'cert'}`, `is required beside ${has('cert') ? 'cert' : 'key'}`)
}

/** Whether it means itself as a URL: not another spelling of a host or a port, nor one that is none. */
function isOrigin(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { origin, protocol } = new URL(text)
  return text.toLowerCase().replace(DEFAULT_PORT[protocol === 'https:' ? 'https:' : 'http:'], '') === origin
}
