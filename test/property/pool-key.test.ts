import fc from 'fast-check'
import { expect, test } from 'vitest'
import { keyOf } from '../../src/pool/target/dial-of.ts'
import type { Dial } from '../../src/threads/protocol.ts'

const text = fc.string({ minLength: 1, maxLength: 8 })
const optional = <T>(of: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(of, { nil: undefined })
const place = fc.record({
  host: fc.stringMatching(/^[a-z0-9.-]{1,12}[a-z0-9]$/),
  port: fc.integer({ min: 1, max: 65_535 }),
})
const tls = fc.record({
  servername: optional(text),
  ca: optional(text),
  cert: optional(text),
  key: optional(text),
  alpn: optional(fc.array(text, { minLength: 1, maxLength: 3 })),
  minVersion: optional(fc.constantFrom('TLSv1.2' as const, 'TLSv1.3' as const)),
})
const bytes = fc.uint8Array({ minLength: 1, maxLength: 6 })
const traits = {
  timeoutMs: fc.integer({ min: 1, max: 9 }),
  when: fc.option(fc.record({ a: text }), { nil: null }),
}
const pieces = fc.array(fc.oneof(bytes, text), { maxLength: 2 })
const dialog = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('send' as const), bytes: pieces, ...traits }),
    fc.record({
      kind: fc.constant('expect' as const),
      what: fc.oneof(
        fc.record({ kind: fc.constant('bytes' as const), bytes: pieces }),
        fc.record({ kind: fc.constant('pattern' as const), pattern: text }),
        fc.record({ kind: fc.constant('count' as const), count: fc.integer({ min: 1, max: 9 }) }),
      ),
      capture: fc.option(text, { nil: null }),
      ...traits,
    }),
    fc.record({ kind: fc.constant('tls' as const), tls, ...traits }),
    fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 9 }), ...traits }),
  ),
  { maxLength: 3 },
)
const dialArbitrary: fc.Arbitrary<Dial> = fc.record({
  places: fc.array(place, { minLength: 1, maxLength: 3 }),
  tls: fc.option(tls, { nil: null }),
  authority: fc.constantFrom('operator' as const, 'rules' as const),
  tenant: fc.string({ maxLength: 4 }),
  onConnect: dialog,
  onRelease: dialog,
  probe: optional(dialog),
  frame: fc.constantFrom('resp' as const, undefined),
})

/** Every value that a path through the struct leads to, replaced by another one. */
function* variants(value: unknown): Generator<unknown> {
  if (typeof value === 'string') yield `${value}x`
  else if (typeof value === 'number') yield value + 1
  else if (value === null || value === undefined) yield 'set'
  else if (value instanceof Uint8Array) {
    for (const index of value.keys()) yield value.map((byte, at) => (at === index ? byte ^ 1 : byte))
    yield Buffer.concat([value, value])
  } else if (Array.isArray(value)) {
    for (const [index, own] of value.entries())
      for (const other of variants(own)) yield value.map((same, at) => (at === index ? other : same))
    yield [...value, value[0] ?? 'more']
    if (value.length > 1 && JSON.stringify(value) !== JSON.stringify(value.toReversed()))
      yield value.toReversed()
  } else if (typeof value === 'object')
    for (const [key, own] of Object.entries(value))
      for (const other of variants(own)) yield { ...value, [key]: other }
}

test('keyOf changes with every field of the dial, the tenant included', () => {
  fc.assert(
    fc.property(dialArbitrary, dial => {
      const key = keyOf(dial)
      for (const other of variants(dial)) expect(keyOf(other as Dial)).not.toBe(key)
    }),
    { numRuns: 300 },
  )
})

test('keyOf depends on nothing but values', () => {
  fc.assert(
    fc.property(dialArbitrary, dial => {
      const turned = Object.fromEntries(Object.entries(structuredClone(dial)).toReversed()) as Dial
      expect(keyOf(turned)).toBe(keyOf(dial))
      const spelt = {
        ...dial,
        places: dial.places.map(({ host, port }) => ({ host: host.toUpperCase(), port })),
      }
      expect(keyOf(spelt)).toBe(keyOf(dial))
    }),
  )
})
