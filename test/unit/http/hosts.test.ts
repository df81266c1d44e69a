import { describe, expect, test } from 'vitest'
import { type HostFacts, HostPolicy, type HostRules, originForm } from '../../../src/http/door/hosts.ts'

const tcp = (host: string, port = 7070): HostRules => ({
  listen: { kind: 'tcp', host, port },
  hosts: [],
  origins: [],
  tls: false,
})
const facts = (host: string | undefined, more: Partial<HostFacts> = {}): HostFacts => ({
  host,
  origin: undefined,
  fetchSite: undefined,
  localAddress: undefined,
  localPort: undefined,
  ...more,
})
const admits = (rules: HostRules, given: HostFacts): boolean => {
  try {
    new HostPolicy(rules).check(given)
    return true
  } catch (error) {
    expect(error).toMatchObject({ code: 'HOST_DENIED' })
    return false
  }
}

describe('HostPolicy', () => {
  test.each([
    ['127.0.0.1:7070', true],
    ['localhost:7070', true],
    ['LOCALHOST:7070', true],
    ['[::1]:7070', true],
    ['127.0.0.2:7070', true],
    ['127.0.0.1:7071', false],
    ['127.0.0.1', false],
    ['evil.example:7070', false],
    ['127.0.0.1.evil.example:7070', false],
    ['user@127.0.0.1:7070', false],
    ['::1:7070', false],
    ['127.0.0.1:7070:7070', false],
    ['127.0.0.1:7070/x', false],
    ['', false],
    [undefined, false],
  ])('on loopback judges %j as %s', (host, isAdmitted) => {
    expect(admits(tcp('127.0.0.2'), facts(host))).toBe(isAdmitted)
  })

  test('takes the real port from the connection', () => {
    expect(admits(tcp('127.0.0.1', 0), facts('localhost:4711', { localPort: 4711 }))).toBe(true)
    expect(admits(tcp('127.0.0.1', 0), facts('localhost:4712', { localPort: 4711 }))).toBe(false)
  })

  test('needs no port where it is the scheme’s own', () => {
    expect(admits(tcp('127.0.0.1', 80), facts('localhost'))).toBe(true)
    expect(admits({ ...tcp('127.0.0.1', 443), tls: true }, facts('localhost'))).toBe(true)
    expect(admits(tcp('127.0.0.1', 443), facts('localhost'))).toBe(false)
  })

  test('beyond loopback takes the listener’s own address, not localhost', () => {
    expect(admits(tcp('10.1.2.3'), facts('10.1.2.3:7070'))).toBe(true)
    expect(admits(tcp('fd00::1'), facts('[fd00::1]:7070'))).toBe(true)
    expect(admits(tcp('10.1.2.3'), facts('localhost:7070'))).toBe(false)
  })

  test('on a wildcard takes loopback names and the address that was dialled', () => {
    const on = { localAddress: '::ffff:10.1.2.3', localPort: 7070 }
    expect(admits(tcp('::'), facts('10.1.2.3:7070', on))).toBe(true)
    expect(admits(tcp('0.0.0.0'), facts('localhost:7070', on))).toBe(true)
    expect(admits(tcp('0.0.0.0'), facts('10.1.2.4:7070', on))).toBe(false)
    expect(admits(tcp('0.0.0.0'), facts('evil.example:7070', on))).toBe(false)
  })

  test('takes configured hosts, with any port or the one they name', () => {
    const rules = { ...tcp('0.0.0.0'), hosts: ['Pool.internal', 'edge.example:8443'] }
    expect(admits(rules, facts('pool.internal:1234'))).toBe(true)
    expect(admits(rules, facts('pool.internal'))).toBe(true)
    expect(admits(rules, facts('edge.example:8443'))).toBe(true)
    expect(admits(rules, facts('edge.example:8444'))).toBe(false)
    expect(admits(rules, facts('edge.example'))).toBe(false)
  })

  test('on a unix socket takes any Host, and still no foreign page', () => {
    const rules: HostRules = { ...tcp('x'), listen: { kind: 'unix', path: '/run/x' } }
    expect(admits(rules, facts('whatever'))).toBe(true)
    expect(admits(rules, facts('whatever', { origin: 'http://evil.example' }))).toBe(false)
  })

  test('takes the origin of its own scheme alone', () => {
    const from = (origin: string) => facts('localhost:7070', { origin })
    expect(admits(tcp('127.0.0.1'), from('http://localhost:7070'))).toBe(true)
    expect(admits(tcp('127.0.0.1'), from('https://localhost:7070'))).toBe(false)
    expect(admits(tcp('127.0.0.1'), from('http://localhost:3000'))).toBe(false)
    expect(admits({ ...tcp('127.0.0.1'), tls: true }, from('https://localhost:7070'))).toBe(true)
  })
})

describe('originForm', () => {
  test('gives the path of an absolute target, and leaves no Host where the two differ', () => {
    const same = { url: 'http://localhost:7070/livez?x=1', headers: { host: 'LOCALHOST:7070' } }
    expect(originForm(same)).toBe('/livez?x=1')
    expect(same.headers.host).toBe('LOCALHOST:7070')
    const other = { url: 'http://evil.example', headers: { host: 'localhost:7070' } as { host?: string } }
    expect(originForm(other)).toBe('/')
    expect(other.headers.host).toBeUndefined()
    expect(originForm({ url: '/v1//x', headers: {} })).toBe('/v1//x')
    expect(originForm({ url: '*', headers: {} })).toBe('*')
  })
})
