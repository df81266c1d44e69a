/** The effective configuration as YAML that could be read again, but for its secrets. */
import { stringify } from 'yaml'
import type { LoadedConfig } from './load.ts'
import { branchFor, isRecord, namedValue, type SchemaNode } from './schema-node.ts'

const MASK = '***'

/** Every key with its value or default, in the order of the schema; what is secret reads `***`. */
export function printConfig({ effective, schema }: Pick<LoadedConfig, 'effective' | 'schema'>): string {
  return stringify(masked(schema, effective), { lineWidth: 0 })
}

function masked(node: SchemaNode, value: unknown): unknown {
  const branch = branchFor(node, value)
  if (node.secret || branch.secret) return MASK
  if (Array.isArray(value)) return value.map(item => (branch.items ? masked(branch.items, item) : item))
  if (!isRecord(value)) return value
  const named = namedValue(branch)
  const { properties = {} } = branch
  const entries = Object.entries(value).map(([key, own]) => {
    const child = Object.hasOwn(properties, key) ? properties[key] : named
    return [key, child ? masked(child, own) : own] as const
  })
  return Object.fromEntries(entries)
}
