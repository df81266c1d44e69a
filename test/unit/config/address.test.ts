import { describe, expect, it } from 'vitest'
import {
  formatAddress,
  isLocalOnly,
  type ListenAddress,
  localUrl,
  parseHostPort,
  parseHostText,
  parseListenAddress,
} from '../../../src/config/address.ts'

describe('parseListenAddress', () => {
  it.each<[string, ListenAddress]>([
    ['127.0.0.1:7070', { kind: 'tcp', host: '127.0.0.1', port: 7070 }],
    ['localhost:0', { kind: 'tcp', host: 'localhost', port: 0 }],
    ['[::1]:65535', { kind: 'tcp', host: '::1', port: 65_535 }],
    ['[fe80::1%eth0]:7070', { kind: 'tcp', host: 'fe80::1%eth0', port: 7070 }],
    ['unix:/run/sockpool/api.sock', { kind: 'unix', path: '/run/sockpool/api.sock' }],
  ])('reads %s and formatAddress writes it back', (text, address) => {
    expect(parseListenAddress(text)).toEqual(address)
    expect(formatAddress(address)).toBe(text)
  })

  it.each([
    '7070',
    ':7070',
    'a:',
    'a:65536',
    'a:-1',
    '::1:80',
    '[::1]',
    'a b:1',
    'unix:',
    'http://a:1',
    7070,
    null,
  ])('refuses %j', value => {
    expect(parseListenAddress(value)).toBeNull()
  })

  it('refuses a unix path that the kernel would cut off', () => {
    expect(parseListenAddress(`unix:/${'x'.repeat(106)}`)).not.toBeNull()
    expect(parseListenAddress(`unix:/${'x'.repeat(107)}`)).toBeNull()
  })
})

describe('parseHostPort', () => {
  it('reads text and a mapping alike', () => {
    expect(parseHostPort('[fd00::1]:6379')).toEqual({ host: 'fd00::1', port: 6379 })
    expect(parseHostPort({ host: 'a', port: 1 })).toEqual({ host: 'a', port: 1 })
  })

  it.each([
    'a:0',
    { host: 'a', port: 0 },
    { host: 'a', port: '1' },
    { host: ['a'], port: 1 },
    { host: 'a', port: 1, path: 'x' },
  ])('refuses %j', value => {
    expect(parseHostPort(value)).toBeNull()
  })
})

describe('parseHostText', () => {
  it.each(['http://a', 'a/b', 'a b', '', 'user@a', '[a]', 'a\0', 'a\n'])('refuses %j', text => {
    expect(parseHostText(text)).toBeNull()
  })

  it.each([
    ['[::1]', '::1'],
    ['fe80::1%eth0', 'fe80::1%eth0'],
    ['[FE80::1%Eth0]', 'FE80::1%Eth0'],
    ['[fe80::1%25eth0]', 'fe80::1%eth0'],
    ['[fe80::1%25]', 'fe80::1%25'],
    ['ff02::1%2', 'ff02::1%2'],
  ])('reads %s as %s', (text, host) => {
    expect(parseHostText(text)).toBe(host)
  })

  it.each([
    '::1%lo',
    'fd00::1%eth0',
    'fec0::1%eth0',
    'fe80::1%',
    'fe80::1%a/b',
    'fe80::1%a b',
    'a%eth0',
    '1.2.3.4%eth0',
  ])('refuses the zone of %j', text => {
    expect([parseHostText(text), parseHostText(`[${text}]`)]).toEqual([null, null])
  })
})

describe('isLocalOnly', () => {
  it.each<[string, boolean]>([
    ['127.0.0.1:1', true],
    ['127.9.9.9:1', true],
    ['[::1]:1', true],
    ['LOCALHOST:1', true],
    ['unix:/x', true],
    ['0.0.0.0:1', false],
    ['[::]:1', false],
    ['10.0.0.1:1', false],
    ['127.0.0.1.example.com:1', false],
  ])('says of %s: %s', (text, expected) => {
    const address = parseListenAddress(text)
    expect(address && isLocalOnly(address)).toBe(expected)
  })
})

describe('localUrl', () => {
  it.each([
    ['127.0.0.1:7070', 'http://127.0.0.1:7070'],
    ['0.0.0.0:7070', 'http://127.0.0.1:7070'],
    ['[::]:7070', 'http://[::1]:7070'],
    ['unix:/x', 'unix:/x'],
  ])('of %s is %s', (text, url) => {
    const address = parseListenAddress(text)
    expect(address && localUrl(address, 'http')).toBe(url)
  })
})
