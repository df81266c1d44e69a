/**
 * Names that answer with a public address first and with a private one later, asked over HTTP. Their first answer is
 * dialled, so all of it plays in a network namespace where the public address is on the loopback.
 */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { RebindingPlay } from '../fixtures/egress/rebinding-play.ts'
import { findOwnNetwork } from '../support/own-network.ts'

const PLAY = new URL('../fixtures/egress/rebinding-play.ts', import.meta.url).pathname
const PUBLIC = '8.8.8.8'
const { deny }: { readonly deny: readonly unknown[] } = JSON.parse(
  readFileSync(new URL('../fixtures/egress-cases.json', import.meta.url), 'utf8'),
)
const names = deny.filter((each): each is string => typeof each === 'string' && each.includes('then-'))

describe('a name that turns private after its first answer', () => {
  test('is dialled once, at the address that was judged, and refused from then on', async ({ skip }) => {
    // The private addresses are there as well: who dialled one would arrive.
    const network = await findOwnNetwork([PUBLIC, '10.0.0.1'], skip)
    expect(names.length).toBeGreaterThanOrEqual(2)
    for (const name of names) expect(name).toMatch(/a-8-8-8-8\..*then-(10-0-0-1|127-0-0-1)\./)
    const { code, stdout, stderr } = await network.run([process.execPath, PLAY, ...names])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const played = Object.entries(JSON.parse(stdout) as RebindingPlay)
    expect(played).toHaveLength(2 * names.length)
    for (const [index, [name, steps]] of played.entries()) {
      const [first, ...later] = steps
      const counts = { dialled: index + 1, arrived: { [PUBLIC]: 1 } }
      const served =
        first?.door === 'lease'
          ? { status: 201, remoteAddress: PUBLIC }
          : { status: 200, remoteAddress: null }
      expect(first, name).toEqual({ ask: 1, door: first?.door, code: null, ...served, ...counts, asked: 1 })
      expect(later.map(({ door }) => door)).toEqual(['lease', 'exchange', 'lease', 'exchange'])
      // Each was asked for anew, answered with the private address, and dialled nowhere.
      const refusal = { status: 403, code: 'target_denied', remoteAddress: null }
      for (const { ask, door: _door, ...step } of later)
        expect(step, `${name}, ask ${ask}`).toEqual({ ...refusal, ...counts, asked: ask })
    }
  })
})
