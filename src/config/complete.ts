/**
 * Fills a raw configuration up: `env:NAME` becomes what the variable says, and what is not said becomes its
 * default. The result has the form of the file, so that it can be printed and read again. Nothing is judged here
 * but whether the variables exist: a value of a wrong shape passes through for `interpret` to report.
 */
import { parseDocument } from 'yaml'
import { branchFor, isRecord, namedValue, type SchemaNode } from './schema-node.ts'

export type Completion = {
  /** What a variable of the environment says. */
  readonly variable: (name: string) => string | undefined
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
  if (typeof value !== 'string') return value
  const name = /^env:([A-Za-z_][A-Za-z0-9_]*)$/.exec(value)?.[1]
  if (name === undefined) return value
  const found = completion.variable(name)
  if (found !== undefined) return fromText(node, found)
  completion.report(path, `refers to the environment variable ${name}, which is not set`)
  return value
}

/**
 * What a text from the environment or a flag means at a node: numbers, booleans, lists (separated by commas, or
 * as JSON) and mappings (as JSON). A text that fits nothing stays as it is, for the one validation to report.
 */
export function fromText(node: SchemaNode, text: string): unknown {
  if (node.kind) return text
  const begins = text.trimStart()[0]
  if (begins === '{' || begins === '[') return parsedOrText(text)
  if (node.type === 'array') return splitList(node.items, text)
  const branches = node.anyOf ?? [node]
  if (branches.some(branch => branch.type === 'boolean') && (text === 'true' || text === 'false'))
    return text === 'true'
  if (branches.some(branch => branch.type === 'integer') && /^-?\d{1,15}$/.test(text)) return Number(text)
  return text
}

function splitList(items: SchemaNode | undefined, text: string): unknown[] {
  const parts = text.split(',').map(part => part.trim())
  return parts.filter(part => part !== '').map(part => (items ? fromText(items, part) : part))
}

function parsedOrText(text: string): unknown {
  const document = parseDocument(text)
  return document.errors.length > 0 ? text : document.toJS()
}

/** The path of a key below another, as errors write it. */
export function childPath(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`
}

export function isRequired(node: SchemaNode, key: string): boolean {
  return node.required?.includes(key) ?? false
}
