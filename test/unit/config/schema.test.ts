import { describe, expect, it } from 'vitest'
import { configSchema } from '../../../src/config/schema.ts'
import { namedValue, type SchemaNode } from '../../../src/config/schema-node.ts'

function visit(node: SchemaNode, path: string, found: (node: SchemaNode, path: string) => void): void {
  found(node, path)
  for (const [key, child] of Object.entries(node.properties ?? {})) visit(child, `${path}.${key}`, found)
  const named = namedValue(node)
  if (named) visit(named, `${path}.*`, found)
  if (node.items) visit(node.items, `${path}[]`, found)
  if (!node.kind) for (const branch of node.anyOf ?? []) visit(branch, path, found)
}

describe('configSchema', () => {
  it('describes every key and closes every mapping', () => {
    const bare: string[] = []
    visit(configSchema(4), '', (node, path) => {
      const closed =
        'additionalProperties' in node ? node.additionalProperties === false : node.patternProperties
      if (!node.description || (node.type === 'object' && !closed)) bare.push(path)
    })
    expect(bare).toEqual([])
  })

  it('says what it expects at every leaf', () => {
    const mute: string[] = []
    visit(configSchema(4), '', (node, path) => {
      const isLeaf = !node.properties && !node.patternProperties && !node.items
      if (isLeaf && !node.expects) mute.push(path)
    })
    expect(mute).toEqual([])
  })

  it('is plain JSON', () => {
    const schema = configSchema(4)
    expect(JSON.parse(JSON.stringify(schema))).toMatchObject({ type: 'object', additionalProperties: false })
  })

  it('leaves one thread to the service', () => {
    const defaults = [1, 2, 8, 10_000].map(parallelism => {
      const { ioWorkers } = configSchema(parallelism).properties ?? {}
      return ioWorkers?.default
    })
    expect(defaults).toEqual([1, 1, 7, 256])
  })
})
