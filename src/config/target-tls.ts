/** TLS as a target, or a step of its dialog, says how to speak it. */
import type { PemContent } from './pem.ts'
import { choice, flag, list, mapping, optional, type SchemaNode, text } from './schema-node.ts'

export const TLS_VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const

/** Client TLS. PEM as text; what is absent is the platform's default. */
export type TargetTls = {
  /** Asked for (SNI) and verified; default: the host. */
  readonly servername?: string
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
  readonly alpn?: readonly string[]
  readonly minVersion?: (typeof TLS_VERSIONS)[number]
  /** An exchange that reads to the end takes a reply whose TLS ended without close_notify; default: false. */
  readonly allowTruncated?: boolean
}

/** A leaf of PEM: the path of a file, or the text itself. */
export type PemLeaf = (description: string, pem: PemContent) => SchemaNode

export function tlsSchema(pem: PemLeaf): SchemaNode {
  return mapping(
    'How TLS is spoken to the target.',
    {
      servername: optional(
        text('The name to ask for (SNI) and to verify; default: the host.', 'a host name', {
          kind: 'host',
        }),
      ),
      ca: optional(pem("The only authorities to trust; default: the platform's", 'certificates')),
      cert: optional(pem('The certificate shown to the target, with `key`', 'certificates')),
      key: optional(pem('The key of `cert`', 'private key')),
      alpn: optional(
        list(
          'Protocols to offer, best first.',
          text('A protocol id.', 'a protocol id of 1 to 255 characters', { pattern: '^[!-~]{1,255}$' }),
          { default: undefined, minItems: 1, maxItems: 16 },
        ),
      ),
      minVersion: optional(choice("The oldest version to speak; default: the platform's.", TLS_VERSIONS)),
      allowTruncated: optional(
        flag(
          'Whether an exchange that reads to the end takes a reply that TLS did not close, so that it may be cut; default: false.',
        ),
      ),
    },
    { shape: 'tls', keyPair: true },
  )
}
