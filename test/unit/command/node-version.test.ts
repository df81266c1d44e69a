import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { supportsNode } from '../../../src/command/node-version.ts'

const manifest: { engines: { node: string } } = JSON.parse(
  readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'),
)

describe('supportsNode', () => {
  it.each([
    ['20.20.2', false],
    ['22.18.9', false],
    ['22.19.0', true],
    ['22.99.0', true],
    ['23.11.0', false],
    ['24.10.9', false],
    ['24.11.0', true],
    ['25.1.0', false],
    ['v26.0.0', true],
    ['26.0.0-nightly20261101', true],
    ['127.0.0', true],
  ])('says of %s: %s', (version, expected) => {
    expect(supportsNode(version, manifest.engines.node)).toBe(expected)
  })
})
