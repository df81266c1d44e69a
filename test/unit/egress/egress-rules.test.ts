import { networkInterfaces } from 'node:os'
import { describe, expect, test } from 'vitest'
import type { Denied } from '../../../src/base/egress-data.ts'
import { LIMITS } from '../../../src/base/limits.ts'
import { type Address, parseAddress } from '../../../src/egress/address.ts'
import { EgressRules } from '../../../src/egress/egress-rules.ts'
import { localAddresses } from '../../../src/egress/local-addresses.ts'
import { coversPort, parseRule } from '../../../src/egress/rule.ts'

function address(text: string): Address {
  const parsed = parseAddress(text)
  if (!parsed) throw new Error(`${text} is no address`)
  return parsed
}

/** The reason of a denial, or the rule that admits. */
function verdictOn(rules: EgressRules, text: string, port: number): string {
  const verdict = rules.admitsAddress(address(text), port)
  return verdict.admitted ? verdict.rule : verdict.reason
}

function verdictOnName(rules: EgressRules, name: string, port: number): string {
  const verdict = rules.admitsName(name, port)
  if (verdict.kind === 'named') return verdict.rule.text
  return verdict.kind === 'open' ? 'open' : verdict.reason
}

describe('parseRule', () => {
  test.each([
    ['*', 'any', 1, 65_535],
    ['*:443', 'any', 443, 443],
    ['*:*', 'any', 1, 65_535],
    ['10.0.0.0/8:6379', 'block', 6379, 6379],
    ['127.0.0.0/8:7000-7999', 'block', 7000, 7999],
    ['10.0.0.5', 'block', 1, 65_535],
    ['::1', 'block', 1, 65_535],
    ['2001:db8::1:443', 'block', 1, 65_535],
    ['fc00::/7', 'block', 1, 65_535],
    ['[::1]:443', 'block', 443, 443],
    ['[::1]', 'block', 1, 65_535],
    ['[fc00::/7]:443', 'block', 443, 443],
    ['[fc00::]/7:443', 'block', 443, 443],
    ['example.com', 'name', 1, 65_535],
    ['Example.com.:1-2', 'name', 1, 2],
    ['*.example.com:443', 'suffix', 443, 443],
    ['localhost:6379', 'name', 6379, 6379],
  ])('parseRule reads %s', (text, kind, firstPort, lastPort) => {
    expect(parseRule(text)).toMatchObject({ text, host: { kind }, firstPort, lastPort })
  })

  test.each([
    ['', /empty/],
    [':443', /empty/],
    ['example.com:', /ports/],
    ['example.com:0', /ports/],
    ['example.com:65536', /ports/],
    ['example.com:0443', /ports/],
    ['example.com:2-1', /ports/],
    ['example.com:1-2-3', /ports/],
    ['example.com:https', /ports/],
    ['example.com:443,80', /ports/],
    ['10.0.0.1/8', /beyond the prefix/],
    ['10.0.0.0/40', /0\.\.32/],
    ['127.1', /neither/],
    ['*example.com', /ASCII/],
    ['a.*.com', /ASCII/],
    ['*.10.0.0.1', /not by an address/],
    ['*.', /empty/],
    ['[10.0.0.1]:443', /only IPv6/],
    ['[::1', /ASCII/],
    ['[::1]x', /ASCII/],
    ['[example.com]:443', /only IPv6/],
    ['::1%lo', /ASCII/],
    ['http://example.com', /ports/],
    ['mün.example', /ASCII/],
  ])('parseRule refuses %j and names it', (text, why) => {
    expect(() => parseRule(text)).toThrow(
      expect.objectContaining({
        code: 'INVALID_REQUEST',
        message: expect.stringMatching(why),
        errors: [{ path: 'egress.allow', message: expect.stringContaining(JSON.stringify(text)) }],
      }),
    )
  })

  test('coversPort takes both ends of a range', () => {
    const rule = parseRule('*:6000-6999')
    expect([5999, 6000, 6999, 7000].map(port => coversPort(rule, port))).toEqual([false, true, true, false])
  })
})

describe('EgressRules on addresses', () => {
  test('EgressRules without rules admits nothing', () => {
    const rules = new EgressRules([])
    expect(verdictOn(rules, '8.8.8.8', 443)).toBe('no_rule')
    expect(verdictOn(rules, '127.0.0.1', 443)).toBe('special_range')
    expect(verdictOnName(rules, 'example.com', 443)).toBe('no_rule')
  })

  test.each([
    [['*'], '8.8.8.8', '*'],
    [['*'], '127.0.0.1', 'special_range'],
    [['*:80'], '8.8.8.8', 'no_rule'],
    [['0.0.0.0/0'], '8.8.8.8', '0.0.0.0/0'],
    [['0.0.0.0/0'], '127.0.0.1', 'special_range'],
    [['0.0.0.0/0'], '2606:4700::1', 'no_rule'],
    [['::/0'], '2606:4700::1', '::/0'],
    [['::/0'], '::1', 'special_range'],
    [['::/0'], 'fd00::1', 'special_range'],
    [['::/0'], '::ffff:127.0.0.1', 'special_range'],
    [['127.0.0.0/8:443'], '127.0.0.1', '127.0.0.0/8:443'],
    [['127.0.0.0/8:7000-7999'], '127.0.0.1', 'special_range'],
    [['127.0.0.1'], '::ffff:127.0.0.1', '127.0.0.1'],
    [['127.0.0.1'], '127.0.0.2', 'special_range'],
    [['126.0.0.0/7'], '127.0.0.1', 'special_range'],
    [['126.0.0.0/7'], '126.0.0.1', '126.0.0.0/7'],
    [['*', '10.0.0.0/8:443'], '10.9.9.9', '10.0.0.0/8:443'],
    [['10.0.0.0/7'], '10.0.0.1', 'special_range'],
    [['fd00::/8'], 'fd00::1', 'fd00::/8'],
    [['fc00::/6'], 'fd00::1', 'special_range'],
    [['4000::/3'], '4000::1', '4000::/3'],
    [['64:ff9b::/96'], '64:ff9b::808:808', '64:ff9b::/96'],
    [['64:ff9b::/96'], '64:ff9b::7f00:1', 'special_range'],
    [['64:ff9b::/96', '10.0.0.0/8'], '64:ff9b::a00:1', '10.0.0.0/8'],
    [['example.com'], '8.8.8.8', 'no_rule'],
  ])('EgressRules %j on %s says %s', (allow, text, expected) => {
    expect(verdictOn(new EgressRules(allow), text, 443)).toBe(expected)
  })

  test('EgressRules admits a public address by the rule that named its name, a special one not', () => {
    const rules = new EgressRules(['example.com'])
    const via = parseRule('example.com')
    expect(rules.admitsAddress(address('8.8.8.8'), 443, via)).toEqual({ admitted: true, rule: 'example.com' })
    expect(rules.admitsAddress(address('10.0.0.1'), 443, via)).toEqual({
      admitted: false,
      reason: 'special_range',
      detail: 'private',
    })
  })
})

describe('EgressRules on names', () => {
  test.each([
    [['*'], 'example.com', 'open'],
    [['*:80'], 'example.com', 'no_rule'],
    [['10.0.0.0/8'], 'example.com', 'open'],
    [['example.com'], 'example.com', 'example.com'],
    [['example.com'], 'www.example.com', 'no_rule'],
    [['*.example.com'], 'www.example.com', '*.example.com'],
    [['*.example.com'], 'a.b.example.com', '*.example.com'],
    [['*.example.com'], 'example.com', 'no_rule'],
    [['*.example.com'], 'badexample.com', 'no_rule'],
    [['*.example.com', 'www.example.com'], 'www.example.com', 'www.example.com'],
    [['*'], 'localhost', 'private_name'],
    [['*'], 'foo.localhost', 'private_name'],
    [['*.localhost'], 'foo.localhost', 'private_name'],
    [['foo.localhost'], 'foo.localhost', 'foo.localhost'],
    [['localhost'], 'localhost', 'localhost'],
    [['localhost:80'], 'localhost', 'private_name'],
    [['127.0.0.0/8'], 'localhost', 'private_name'],
    [['*'], 'redis', 'private_name'],
    [['redis'], 'redis', 'redis'],
    [['*'], 'metadata.google.internal', 'private_name'],
    [['*.internal'], 'db.internal', '*.internal'],
    [['*'], 'printer.local', 'private_name'],
    [['*'], 'home.arpa', 'private_name'],
  ])('EgressRules %j on %s says %s', (allow, name, expected) => {
    expect(verdictOnName(new EgressRules(allow), name, 443)).toBe(expected)
  })
})

describe('EgressRules denials', () => {
  const everything = ['*', '127.0.0.0/8', '10.0.0.0/8', '::1', '0.0.0.0/8', '::']
  const own: Denied[] = [
    { address: '127.0.0.1', port: null },
    { address: '10.0.0.7', port: null },
    { address: '8.8.4.4', port: null },
  ]

  test('EgressRules denies an own listener whatever the rules say', () => {
    const rules = new EgressRules(everything, [{ address: '127.0.0.1', port: 7070 }])
    expect(verdictOn(rules, '127.0.0.1', 7070)).toBe('own_listener')
    expect(verdictOn(rules, '::ffff:127.0.0.1', 7070)).toBe('own_listener')
    expect(verdictOn(rules, '0.0.0.0', 7070)).toBe('own_listener')
    expect(verdictOn(rules, '::', 7070)).toBe('own_listener')
    expect(verdictOn(rules, '127.0.0.1', 7071)).toBe('127.0.0.0/8')
    expect(verdictOn(rules, '127.0.0.2', 7070)).toBe('127.0.0.0/8')
  })

  test.each(['0.0.0.0', '::'])('EgressRules denies a listener on %s at every local address', wildcard => {
    const rules = new EgressRules(everything, [...own, { address: wildcard, port: 7070 }])
    for (const local of ['127.0.0.1', '127.9.9.9', '::1', '10.0.0.7', '8.8.4.4'])
      expect(verdictOn(rules, local, 7070)).toBe('own_listener')
    expect(verdictOn(rules, '10.0.0.8', 7070)).toBe('10.0.0.0/8')
    expect(verdictOn(rules, '8.8.8.8', 7070)).toBe('*')
  })

  test('EgressRules denies a public address of our own on every port, though a rule names it', () => {
    expect(verdictOn(new EgressRules(['*', '8.8.4.4'], own), '8.8.4.4', 443)).toBe('own_address')
  })

  test('EgressRules opens a special address of our own by a rule inside its range alone', () => {
    expect(verdictOn(new EgressRules(['*'], own), '10.0.0.7', 443)).toBe('special_range')
    expect(verdictOn(new EgressRules(['10.0.0.0/8'], own), '10.0.0.7', 443)).toBe('10.0.0.0/8')
    expect(verdictOn(new EgressRules(['127.0.0.0/8'], own), '127.0.0.1', 443)).toBe('127.0.0.0/8')
  })

  test('EgressRules changes its denials and hands all of itself to another thread', () => {
    const rules = new EgressRules(['*:443'])
    rules.deny({ address: '8.8.8.8', port: 443 })
    const other = structuredClone(rules.data())
    expect(verdictOn(new EgressRules(other.allow, other.denied), '8.8.8.8', 443)).toBe('own_listener')
    expect(rules.stats()).toEqual({ rules: 1, denied: 1 })
    rules.setDenied([])
    expect(verdictOn(rules, '8.8.8.8', 443)).toBe('*:443')
  })

  test('EgressRules refuses a denied address it cannot read, and more than its bounds', () => {
    expect(() => new EgressRules([], [{ address: 'localhost', port: 1 }])).toThrow('"localhost"')
    expect(() => new EgressRules(Array<string>(LIMITS.egressRulesMax + 1).fill('*'))).toThrow('more than')
    const denied = Array<Denied>(LIMITS.egressDeniedMax + 1).fill({ address: '8.8.8.8', port: 1 })
    expect(() => new EgressRules([], denied)).toThrow('more than')
  })

  test('localAddresses names every address of every interface', () => {
    const expected = Object.values(networkInterfaces()).flatMap(list => list ?? [])
    const found = localAddresses()
    expect(found).toHaveLength(expected.length)
    expect(found).toContainEqual({ address: '127.0.0.1', port: null })
  })
})
