import { describe, expect, test } from 'vitest'
import { type Address, addressOf } from '../../../src/egress/address.ts'
import { EgressRules } from '../../../src/egress/egress-rules.ts'
import { judge } from '../../../src/egress/judge.ts'
import type { NameResolver } from '../../../src/egress/resolver.ts'
import { classify } from '../../../src/egress/special-range.ts'

/** Answers a public address and the loopback by turns, as a name with no time to live may. */
class FlippingResolver implements NameResolver {
  flips = 0

  async resolveByDns(): Promise<readonly Address[]> {
    this.flips += 1
    return [addressOf(Uint8Array.from(this.flips % 2 === 0 ? [127, 0, 0, 1] : [8, 8, 8, 8]))]
  }

  async resolveBySystem(): Promise<readonly Address[]> {
    throw new Error("a caller's name was asked of the system")
  }
}

describe('judge against rebinding', () => {
  test('judge never lets a dial reach the other half of 100000 flips', async () => {
    const resolver = new FlippingResolver()
    const target = {
      host: 'flip.example.com',
      port: 443,
      authority: { kind: 'rules', rules: new EgressRules(['*']) } as const,
    }
    let hits = 0
    let dials = 0
    let refusals = 0
    while (resolver.flips < 100_000) {
      // Several dials at once, so that answers to one land between the steps of another.
      const outcomes = await Promise.allSettled(Array.from({ length: 50 }, () => judge(target, resolver)))
      const dialled: Address[] = []
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected') refusals += 1
        else dialled.push(...outcome.value)
      }
      hits += dialled.filter(address => classify(address) !== 'public').length
      dials += dialled.length
    }
    expect({ flips: resolver.flips, hits, dials, refusals }).toEqual({
      flips: 100_000,
      hits: 0,
      dials: 50_000,
      refusals: 50_000,
    })
  })
})
