/** A key of the config file whose value lies in a file of its own, as PEM. */
import type { PemContent } from './pem.ts'
import { type SchemaNode, text } from './schema-node.ts'

export function pemFile(description: string, pem: PemContent): SchemaNode {
  return text(
    `${description}, the path of a PEM file relative to the config file.`,
    'the path of a PEM file',
    {
      kind: 'file',
      pem,
      minLength: 1,
    },
  )
}
