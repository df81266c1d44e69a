/**
 * Fills a raw configuration up: `env:NAME` becomes what the variable says, but in the texts of dialogs, which are read with
 * their variables later; and what is not said becomes its default. The result has the form of the file, so that it can be printed and read again. Nothing is judged here
 * but whether the variables exist: a value of a wrong shape passes through for `interpret` to report.
 */
import { branchFor, isRecord, namedValue, type SchemaNode } from './schema-node.ts'

export type Completion = {
  /** What a variable of the environment means at the node; undefined where it is not set. */
  readonly variable: (name: string, node: SchemaNode) => unknown
  readonly report: (path: string, message: string) => void
}

/** The value with its references resolved and its defaults filled in; fresh throughout. */
export function complete(node: SchemaNode, value: unknown, path: string, completion: Completion): unknown {
  const resolved = resolveReference(node, value, path, completion)
  const branch = branchFor(node, resolved)
  if (isRecord(resolved)) return completeMapping(branch, resolved, path, completion)
  if (!Array.isArray(resolved)) return resolved
  const { items } = branch
  return items
    ? resolved.map((item, index) => complete(items, item, `${path}.${index}`, completion))
    : resolved
}

function completeMapping(
  node: SchemaNode,
  value: Readonly<Record<string, unknown>>,
  path: string,
  completion: Completion,
): Record<string, unknown> {
  const entries: [string, unknown][] = []
  const properties = node.properties ?? {}
  const named = namedValue(node)
  for (const [key, child] of Object.entries(properties)) {
    const filled = orDefault(child, Object.hasOwn(value, key) ? value[key] : undefined, isRequired(node, key))
    if (filled !== undefined) entries.push([key, complete(child, filled, childPath(path, key), completion)])
  }
  for (const [key, own] of Object.entries(value)) {
    if (Object.hasOwn(properties, key)) continue
    entries.push([key, named ? complete(named, own ?? {}, childPath(path, key), completion) : own])
  }
  return Object.fromEntries(entries)
}

// An empty value in YAML is null; it means "not said", as for a key whose lines are all commented out.
function orDefault(node: SchemaNode, value: unknown, required: boolean): unknown {
  if (value !== undefined && value !== null) return value
  if (node.default !== undefined) return structuredClone(node.default)
  return node.type === 'object' && required ? {} : undefined
}

function resolveReference(node: SchemaNode, value: unknown, path: string, completion: Completion): unknown {
  if (typeof value !== 'string' || branchFor(node, value).kind === 'template') return value
  const name = /^env:([A-Za-z_][A-Za-z0-9_]*)$/.exec(value)?.[1]
  if (name === undefined) return value
  const found = completion.variable(name, node)
  if (found !== undefined) return found
  completion.report(path, unsetVariable(name))
  return value
}

export function unsetVariable(name: string): string {
  return `refers to the environment variable ${name}, which is not set`
}

/** The path of a key below another, as errors write it. */
export function childPath(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`
}

export function isRequired(node: SchemaNode, key: string): boolean {
  return node.required?.includes(key) ?? false
}
