/** Ids that carry their owner, and what cannot be one. */
import { describe, expect, test } from 'vitest'
import { LIMITS } from '../../../src/base/limits.ts'
import { FleetIds, newBoot } from '../../../src/fleet/fleet-ids.ts'

const SECRET = 'a-secret-of-all-instances-of-this-fleet'

function idsOf(name: string, { boot = newBoot(), secret = SECRET as string | null } = {}): FleetIds {
  return new FleetIds(
    name,
    boot,
    () => secret ?? 'one-of-this-start-alone',
    () => (secret === null ? [] : [secret]),
  )
}

describe('FleetIds', () => {
  test('tells its own ids from those of another start, and whose those are', () => {
    const boot = newBoot()
    const [a, b] = [idsOf('a', { boot }), idsOf('b.of-a_pod')]
    const id = a.next()
    expect(id).toMatch(/^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{43}$/)
    expect(a.markOf(id)).toEqual({ kind: 'own' })
    expect(b.markOf(id)).toEqual({ kind: 'foreign', name: 'a', boot })
    expect(idsOf('a').markOf(id)).toEqual({ kind: 'foreign', name: 'a', boot })
  })

  test('never makes one twice, and none that is too long', () => {
    const ids = idsOf('n'.repeat(64))
    const made = new Set(Array.from({ length: 1_000 }, () => ids.next()))
    expect(made.size).toBe(1_000)
    const [one = ''] = made
    expect(one.length).toBeLessThanOrEqual(LIMITS.fleetIdCharsMax)
    expect(idsOf('b').markOf(one)).toMatchObject({ kind: 'foreign', name: 'n'.repeat(64) })
  })

  test('takes an id that anybody else has made for one of nobody', () => {
    const id = idsOf('a').next()
    const b = idsOf('b')
    const [head = '', tail = ''] = id.split('.')
    const other = (text: string, at: number): string =>
      text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1)
    const forged = {
      'another secret': idsOf('a', { secret: 'another-secret-of-another-fleet-01' }).next(),
      'another name': `${Buffer.concat([Buffer.from(head, 'base64url'), Buffer.from('x')]).toString('base64url')}.${tail}`,
      'another boot': `${other(head, 3)}.${tail}`,
      'another mac': `${other(head, 20)}.${tail}`,
      'a second spelling': `${head}.${tail}=`,
      'other last bits': `${head}.${tail.slice(0, -1)}${String.fromCharCode(tail.charCodeAt(42) + 1)}`,
      'too short': `${head}.${tail.slice(0, 21)}`,
      'no tail': `${head}.`,
      'no head': `.${tail}`,
      'no dot': head + tail,
      'two dots': `${head}.${tail}.${tail}`,
      'no bytes': `${head}.${'ü'.repeat(43)}`,
      nothing: '',
      'too long': `${'A'.repeat(LIMITS.fleetIdCharsMax)}.${tail}`,
      'a plain id': tail,
    }
    for (const [what, text] of Object.entries(forged))
      expect.soft(b.markOf(text), what).toEqual({ kind: 'own' })
    expect(b.markOf(id).kind).toBe('foreign')
  })

  test('knows the ids of others and its own that were made before the secret changed, and none of a third', () => {
    const secrets = ['new', 'old', 'older'].map(name => name.padEnd(43, '-'))
    const boot = newBoot()
    const [old, older, gone] = ['old', 'older', 'gone'].map(name =>
      idsOf('a', { boot, secret: name.padEnd(43, '-') }).next(),
    )
    const idsAfter = (name: string): FleetIds =>
      new FleetIds(
        name,
        boot,
        () => secrets[0] ?? '',
        () => secrets,
      )
    const marks = (ids: FleetIds): unknown[] => [old, older, gone].map(id => ids.markOf(id ?? ''))
    const ofA = { kind: 'foreign', name: 'a', boot }
    expect(marks(idsAfter('b'))).toEqual([ofA, ofA, { kind: 'own' }])
    expect(marks(idsAfter('a'))).toEqual([{ kind: 'own' }, { kind: 'own' }, { kind: 'own' }])
  })

  test('knows its own before any secret is known, and those of nobody else', () => {
    const a = idsOf('a', { secret: null })
    expect(a.markOf(a.next())).toEqual({ kind: 'own' })
    expect(a.markOf(idsOf('b').next())).toEqual({ kind: 'own' })
    expect(idsOf('b').markOf(a.next())).toEqual({ kind: 'own' })
  })
})
