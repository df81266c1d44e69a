import { describe, expect, test } from 'vitest'
import {
  type Address,
  addressOf,
  equalAddresses,
  parseAddress,
  sameAddress,
} from '../../../src/egress/address.ts'
import { Cidr } from '../../../src/egress/cidr.ts'
import { classify } from '../../../src/egress/special-range.ts'

function address(text: string): Address {
  const parsed = parseAddress(text)
  if (!parsed) throw new Error(`${text} is no address`)
  return parsed
}

describe('parseAddress', () => {
  test.each([
    ['8.8.8.8', '8.8.8.8'],
    ['255.255.255.255', '255.255.255.255'],
    ['2606:4700:4700:0:0:0:0:1111', '2606:4700:4700::1111'],
    ['2A00:1450:4001:0800::200E', '2a00:1450:4001:800::200e'],
    ['::', '::'],
    ['::fffe:8.8.8.8', '::fffe:808:808'],
    ['::ff:ffff:808:808', '::ff:ffff:808:808'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
    ['1:2:3:4:5:6:7.8.9.10', '1:2:3:4:5:6:708:90a'],
    ['FE80:0::1%eth0', 'fe80::1%eth0'],
    ['febf::1%Eth0.100', 'febf::1%Eth0.100'],
    ['ff02::1%2', 'ff02::1%2'],
    ['fe80::%br-lan_0', 'fe80::%br-lan_0'],
  ])('parseAddress writes %s as %s', (text, canonical) => {
    expect(address(text).text).toBe(canonical)
    expect(address(canonical)).toEqual(address(text))
  })

  test.each(['::ffff:8.8.8.8', '::ffff:808:808', '::FFFF:0808:0808', '0:0:0:0:0:ffff:808:808'])(
    'parseAddress unwraps %s to IPv4',
    text => {
      expect(address(text)).toEqual({ family: 4, bytes: Uint8Array.of(8, 8, 8, 8), text: '8.8.8.8' })
    },
  )

  test.each(
    [
      '',
      '1.2.3',
      '01.2.3.4',
      '256.1.1.1',
      '1.2.3.4.5',
      '1.2.3.4 ',
      ':::',
      '::1::',
      '1:2:3:4:5:6:7',
      '1.2.3.4::',
    ].concat(
      [
        '1:2:3:4:5:6:7:8:9',
        '1:2:3:4:5:6:7::8',
        '::1%lo',
        '::%eth0',
        'fec0::1%eth0',
        'fd00::1%eth0',
        '2001:db8::1%eth0',
        '::ffff:127.0.0.1%lo',
        '::ffff:169.254.0.1%eth0',
        '169.254.0.1%eth0',
        'fe80::1%',
        'fe80::1%%eth0',
        'fe80::1%eth0%eth1',
        'fe80::1%eth0/64',
        'fe80::1%eth 0',
        'fe80::1%eth0\0',
        'fe80::1%eth0\n',
        'fe80::1%-eth0',
        'fe80::1%.',
        'fe80::1%ethernet-is-long',
        'fe80::1%et\u0127',
        '%eth0',
        'fe80::1eth0%',
        '[::1]',
        'g::',
        '12345::',
        '::1.2.3',
        '::1.2.3.4:5',
        '1.2.3.4:5::',
      ],
      ['0000:0000:0000:0000:0000:ffff:255.255.255.2550', ':1:2:3:4:5:6:7', '1:2:3:4:5:6:7:'],
    ),
  )('parseAddress refuses %j', text => {
    expect(parseAddress(text)).toBeUndefined()
  })
})

describe('addressOf', () => {
  test('addressOf copies the bytes it is given', () => {
    const bytes = Uint8Array.of(8, 8, 4, 4)
    const made = addressOf(bytes)
    bytes.fill(0)
    expect([...made.bytes]).toEqual([8, 8, 4, 4])
  })

  test('addressOf gives plain data that a thread can receive', () => {
    expect(structuredClone(address('2606:4700::1'))).toEqual(address('2606:4700::1'))
  })
})

describe('sameAddress', () => {
  test.each([
    ['8.8.8.8', '8.8.8.8', true],
    ['::ffff:8.8.8.8', '8.8.8.8', true],
    ['2606:4700:0::1', '2606:4700::1', true],
    ['8.8.8.9', '8.8.8.8', false],
    ['::808:808', '8.8.8.8', false],
    ['fe80::1%eth0', 'fe80::1', true],
    ['fe80::1', 'fe80::1%eth0', true],
    ['fe80::1%eth0', 'fe80::1%eth0', true],
    ['fe80::1%eth1', 'fe80::1%eth0', false],
    ['fe80::1%eth0', 'fe80::1%2', true],
    ['fe80::1%eth0', 'fe80::1%3', false],
    ['fe80::2%eth0', 'fe80::1%eth0', false],
    ['not an address', '8.8.8.8', false],
    [undefined, '8.8.8.8', false],
  ])('sameAddress of %s and %s is %s', (remote, approved, expected) => {
    const nameOf = (zone: string): string => (zone === '2' ? 'eth0' : zone)
    expect(sameAddress(remote, address(approved), nameOf)).toBe(expected)
  })

  test('equalAddresses tells families apart', () => {
    expect(equalAddresses(address('0.0.0.0'), address('::'))).toBe(false)
  })
})

describe('Cidr', () => {
  test.each([
    ['10.0.0.0/8', '10.255.255.255', true],
    ['10.0.0.0/8', '11.0.0.0', false],
    ['100.64.0.0/10', '100.127.255.255', true],
    ['100.64.0.0/10', '100.128.0.0', false],
    ['0.0.0.0/0', '203.0.113.9', true],
    ['0.0.0.0/0', '::1', false],
    ['::/0', '::1', true],
    ['::/0', '10.0.0.1', false],
    ['8.8.8.8', '8.8.8.8', true],
    ['8.8.8.8', '8.8.8.9', false],
    ['fe80::/10', 'febf::1', true],
    ['fe80::/10', 'fec0::1', false],
    ['fe80::/10', 'fe80::1%eth0', true],
    ['fe80::%eth0/64', 'fe80::1%eth0', true],
    ['fe80::%eth0/64', 'fe80::1%eth1', false],
    ['fe80::%eth0/64', 'fe80::1', false],
    ['fe80::1%eth0', 'fe80::1%eth0', true],
    ['::ffff:10.0.0.0/104', '10.1.2.3', true],
    ['::ffff:0:0/96', '1.2.3.4', true],
  ])('Cidr %s contains %s: %s', (block, inside, expected) => {
    expect(Cidr.parse(block).contains(address(inside))).toBe(expected)
  })

  test.each([
    ['10.0.0.0/8', '10.1.0.0/16', true],
    ['10.0.0.0/8', '10.0.0.0/8', true],
    ['10.1.0.0/16', '10.0.0.0/8', false],
    ['10.0.0.0/8', '0.0.0.0/0', false],
    ['fc00::/7', 'fd00::/8', true],
    ['::/0', '10.0.0.0/8', false],
  ])('Cidr %s covers %s: %s', (outer, inner, expected) => {
    expect(Cidr.parse(outer).covers(Cidr.parse(inner))).toBe(expected)
  })

  test.each([
    ['10.0.0.1/8', /beyond the prefix/],
    ['fe80::1/10', /beyond the prefix/],
    ['10.0.0.0/33', /0\.\.32/],
    ['::/129', /0\.\.128/],
    ['10.0.0.0/', /0\.\.32/],
    ['10.0.0.0/08', /0\.\.32/],
    ['10.0.0.0/8/8', /0\.\.32/],
    ['::ffff:10.0.0.0/95', /0\.\.32/],
    ['10.0.0/8', /canonically/],
  ])('Cidr refuses %s', (text, message) => {
    expect(() => Cidr.parse(text)).toThrow(message)
  })

  test('Cidr writes itself in the one spelling', () => {
    expect(Cidr.parse('2001:DB8:0::/32').text).toBe('2001:db8::/32')
  })
})

describe('classify', () => {
  test.each([
    ['8.8.8.8', 'public'],
    ['127.0.0.1', 'loopback'],
    ['::ffff:127.0.0.1', 'loopback'],
    ['0.0.0.0', 'this_network'],
    ['10.1.2.3', 'private'],
    ['169.254.169.254', 'link_local'],
    ['100.100.100.200', 'shared'],
    ['168.63.129.16', 'cloud_host'],
    ['255.255.255.255', 'reserved'],
    ['::', 'unspecified'],
    ['::1', 'loopback'],
    ['::2', 'ipv4_compatible'],
    ['::ffff:0:127.0.0.1', 'ipv4_translated'],
    ['64:ff9b::1', 'nat64'],
    ['fd00::1', 'unique_local'],
    ['fe80::1', 'link_local'],
    ['fe80::1%eth0', 'link_local'],
    ['4000::', 'unallocated'],
    ['1fff::', 'unallocated'],
    ['2606:4700::1', 'public'],
  ])('classify calls %s %s', (text, kind) => {
    expect(classify(address(text))).toBe(kind)
  })
})
