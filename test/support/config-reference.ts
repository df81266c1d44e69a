/** The table of all config keys, out of the schema, as docs/config.md has it. */
import { configSchema } from '../../src/config/schema.ts'
import { namedValue, type SchemaNode } from '../../src/config/schema-node.ts'

type Row = { readonly key: string; readonly value: string; readonly default: string; readonly what: string }

/** The table as Markdown, one row for each key. */
export function configReference(): string {
  // What differs between two machines has no default that a page could name.
  const rows = rowsOf(configSchema(2), configSchema(64), '', true, new Set())
  const lines = rows.map(
    row => `| \`${row.key}\` | ${cell(row.value)} | ${cell(row.default)} | ${cell(row.what)} |`,
  )
  return ['| key | value | default | what it is |', '|---|---|---|---|', ...lines].join('\n')
}

/** `told`: shapes that have their rows already. */
function rowsOf(
  node: SchemaNode,
  other: SchemaNode,
  path: string,
  isRequired: boolean,
  told: Set<string>,
): readonly Row[] {
  const below = childrenOf(node, other, path, told)
  const isGroup = node.type === 'object' && path !== ''
  if (path === '' || (isGroup && below.length > 0 && isRequired)) return below
  return [
    { key: path, value: takes(node), default: defaultOf(node, other, isRequired), what: whatOf(node) },
    ...below,
  ]
}

function childrenOf(node: SchemaNode, other: SchemaNode, path: string, told: Set<string>): readonly Row[] {
  if (node.shape !== undefined) {
    if (told.has(node.shape)) return []
    told.add(node.shape)
  }
  if (node.anyOf && !node.kind) {
    const nested = [...node.anyOf.entries()].filter(([, { type }]) => type === 'object' || type === 'array')
    return nested.flatMap(([index, own]) => childrenOf(own, other.anyOf?.[index] ?? own, path, told))
  }
  if (node.items && other.items)
    return node.items.type === 'object' ? childrenOf(node.items, other.items, `${path}[]`, told) : []
  const [named, same] = [namedValue(node), namedValue(other)]
  if (named && same) return childrenOf(named, same, `${path}.NAME`, told)
  return Object.entries(node.properties ?? {}).flatMap(([key, child]) => {
    const twin = other.properties?.[key] ?? child
    return rowsOf(
      child,
      twin,
      path === '' ? key : `${path}.${key}`,
      node.required?.includes(key) ?? false,
      told,
    )
  })
}

function takes(node: SchemaNode): string {
  if (node.items) return node.items.expects ? `a list, each ${node.items.expects}` : 'a list of mappings'
  if (node.patternProperties) return 'a mapping by name'
  if (node.kind === 'file') return `${node.expects}, relative to the config file`
  // Every duration and every size is written in the same ways; their bounds are what differs.
  return (node.expects ?? 'a mapping').replace(/ such as .*\), from /, ', from ')
}

function defaultOf(node: SchemaNode, other: SchemaNode, isRequired: boolean): string {
  if (node.default !== other.default && JSON.stringify(node.default) !== JSON.stringify(other.default))
    return 'by machine'
  if (node.default !== undefined)
    return `\`${typeof node.default === 'string' ? node.default : JSON.stringify(node.default)}\``
  return isRequired ? 'required' : ''
}

function whatOf(node: SchemaNode): string {
  return (node.description ?? '').replace(/\.$/, '').replace(/, the path of a PEM file.*$/, '')
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|')
}
