/**
 * The readers of addresses and hosts against any text, and against what Node and the URL parser make of it.
 */
import { isIP, isIPv4 } from 'node:net'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SockpoolError } from '../../src/base/errors.ts'
import { addressOf, parseAddress } from '../../src/egress/address.ts'
import { parseHost } from '../../src/egress/host.ts'

describe('parseAddress against other readers', () => {
  const bytes16 = fc.uint8Array({ minLength: 16, maxLength: 16 })
  /** Many zero groups, so that `::` falls everywhere. */
  const sparse = fc
    .array(fc.constantFrom(0, 0, 0, 1, 0xff, 0xdb8, 0xffff), { minLength: 8, maxLength: 8 })
    .map(groups => Uint8Array.from(groups.flatMap(group => [group >> 8, group & 0xff])))

  test('parseAddress reads back what addressOf writes, as the URL parser spells it', () => {
    fc.assert(
      fc.property(fc.oneof(bytes16, sparse), bytes => {
        const address = addressOf(bytes)
        expect(parseAddress(address.text)).toEqual(address)
        if (address.family === 6)
          expect(new URL(`http://[${address.text}]`).hostname).toBe(`[${address.text}]`)
      }),
      { numRuns: 20_000 },
    )
  })

  test('parseAddress reads any spelling of the system whose zone means something, and no other text', () => {
    const piece = fc.constantFrom(
      '0',
      '1',
      'ffff',
      'FF',
      '00',
      ':',
      '::',
      '.',
      '127.0.0.1',
      '255',
      '256',
      '01',
      '%lo',
      'g',
    )
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 12 }).map(pieces => pieces.join('')),
        text => {
          const isOurs = parseAddress(text) !== undefined
          const hasFitZone =
            !text.includes('%') || /^ff[0-9a-f]{2}:[^%]*%[a-z0-9][a-z0-9._-]{0,14}$/i.test(text)
          expect(isOurs).toBe(isIP(text) !== 0 && hasFitZone)
          if (isIPv4(text)) expect(parseAddress(text)?.text).toBe(text)
        },
      ),
      { numRuns: 50_000 },
    )
  })
})

describe('parseHost against anything', () => {
  test('parseHost gives an address, a plain name or a typed refusal', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 40 }),
      fc.string({
        unit: fc.constantFrom('a', 'Z', '0', '7', '.', '-', '_', ':', 'x', '\0', '%', '/', '@', '１', '。'),
        maxLength: 30,
      }),
    )
    fc.assert(
      fc.property(fc.oneof(text, fc.anything()), host => {
        try {
          const parsed = parseHost(host)
          if (parsed.kind === 'name')
            expect(parsed.name).toMatch(/^(?:[a-z0-9_-]{1,63}\.)*[a-z][a-z0-9_-]{0,62}$/)
          else expect(isIP(parsed.address.text)).toBe(parsed.address.family)
        } catch (error) {
          if (!(error instanceof SockpoolError)) throw error
          expect(error).toMatchObject({ code: 'INVALID_REQUEST', errors: [{ path: 'host' }] })
        }
      }),
      { numRuns: 50_000 },
    )
  })

  test('parseHost takes no name that the URL parser would read as an address', () => {
    const label = fc.constantFrom(
      '0x7f',
      '0177',
      '127',
      '0',
      '1',
      '0x',
      'a',
      'ab',
      '1a',
      'xn--p1ai',
      '08',
      '0xg',
    )
    fc.assert(
      fc.property(fc.array(label, { minLength: 1, maxLength: 5 }), fc.boolean(), (labels, dot) => {
        const host = labels.join('.') + (dot ? '.' : '')
        const parsed = ((): string | undefined => {
          try {
            const found = parseHost(host)
            return found.kind === 'name' ? found.name : undefined
          } catch {
            return undefined
          }
        })()
        if (parsed !== undefined) expect(isIPv4(new URL(`http://${parsed}/`).hostname)).toBe(false)
      }),
      { numRuns: 20_000 },
    )
  })
})
