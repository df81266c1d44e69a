/** Values that are written as text where no file is: in a variable of the environment, in a flag. */
import { parseDocument } from 'yaml'
import type { SchemaNode } from './schema-node.ts'

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
