import { describe, expect, test } from 'vitest'
import { addressesIn, fullNames, HostsAndDns, searchRulesOf } from '../../../src/egress/hosts-and-dns.ts'

const HOSTS = `
127.0.0.1\tlocalhost
::1 localhost ip6-localhost # and more: nowhere
# 10.0.0.1 commented
10.0.0.2   Db.internal db   # 10.0.0.3 other
fe80::5%eth0 printer
10.0.0 broken
10.0.0.4 db
`

describe('addressesIn', () => {
  test.each([
    ['localhost', ['127.0.0.1', '::1']],
    ['DB', ['10.0.0.2', '10.0.0.4']],
    ['db.INTERNAL', ['10.0.0.2']],
    ['printer', ['fe80::5%eth0']],
    ['commented', []],
    ['nowhere', []],
    ['other', []],
    ['broken', []],
    ['127.0.0.1', []],
  ])('addressesIn finds %s', (name, addresses) => {
    expect(addressesIn(HOSTS, name).map(({ text }) => text)).toEqual(addresses)
  })
})

describe('searchRulesOf and fullNames', () => {
  test.each([
    ['', 'db', ['db.']],
    ['', 'db.example', ['db.example.']],
    ['search a.test b.test', 'db', ['db.a.test.', 'db.b.test.', 'db.']],
    ['search a.test', 'db.x', ['db.x.', 'db.x.a.test.']],
    ['domain a.test\nsearch b.test', 'db', ['db.b.test.', 'db.']],
    ['search a.test.\noptions edns0 ndots:5', 'db.x.y', ['db.x.y.a.test.', 'db.x.y.']],
    ['search .', 'db', ['db.']],
    ['options ndots:x', 'db', ['db.']],
  ])('with %j ask for %s', (conf, name, expected) => {
    expect(fullNames(name, searchRulesOf(conf))).toEqual(expected)
  })

  test('try no more domains than their bound', () => {
    const conf = `search ${Array.from({ length: 100 }, (_, n) => `d${n}.test`).join(' ')}`
    expect(fullNames('db', searchRulesOf(conf))).toHaveLength(17)
  })
})

test('HostsAndDns finds localhost in the hosts file of this machine', async () => {
  const own = new HostsAndDns()
  const found = await own.lookup('localhost')
  own.close()
  expect(found.map(({ text }) => text)).toContain('127.0.0.1')
})
