/**
 * Targets as hostile callers might write them, from a seed: mostly near misses of real ones, since what is far off
 * is refused at the first look. The same seed gives the same targets.
 */
export type Fuzz = {
  /** The next target: any JSON value. */
  next(): unknown
}

const HOSTS: readonly unknown[] = [
  'a.example',
  '8.8.8.8',
  '127.0.0.1',
  '::1',
  '',
  ' ',
  'localhost',
  'A.EXAMPLE.',
  '0x7f.1',
  '127.1',
  '[::1]',
  '::ffff:127.0.0.1',
  'a.example\0',
  '\ud800',
  '１２７.0.0.1',
  '../x',
  'a b',
  'http://a',
  'x'.repeat(254),
  '::1%lo',
  '*',
  null,
  true,
  0,
  2130706433,
  ['127.0.0.1'],
  [['127.0.0.1']],
  {},
  { toString: 'a.example' },
  { length: 1, 0: '127.0.0.1' },
  [],
  -1,
  1e308,
]
const PORTS: readonly unknown[] = [
  443,
  1,
  65_535,
  0,
  -1,
  65_536,
  443.5,
  '443',
  '0x1bb',
  ' 443',
  '',
  null,
  true,
  [443],
  {},
  1e9,
  4.43e2,
  -0,
  1e-7,
  [[443]],
]
const TLS: readonly unknown[] = [
  true,
  false,
  {},
  null,
  'yes',
  1,
  [],
  [{}],
  { servername: 'b.example' },
  { servername: ['b'] },
  { servername: '' },
  { servername: 'x'.repeat(300) },
  { servername: '\0' },
  { ca: 'no PEM' },
  { ca: '-----BEGIN CERTIFICATE-----' },
  { ca: ['-----BEGIN CERTIFICATE-----'] },
  { ca: null },
  { alpn: ['h2'] },
  { alpn: 'h2' },
  { alpn: [] },
  { alpn: [''] },
  { alpn: [1] },
  { alpn: Array.from({ length: 17 }, () => 'a') },
  { alpn: ['é'] },
  { alpn: ['x'.repeat(256)] },
  { minVersion: 'TLSv1.3' },
  { minVersion: 'SSLv3' },
  { minVersion: 0 },
  { rejectUnauthorized: false },
  { key: 'x', cert: 'y' },
  { checkServerIdentity: {} },
  { servername: 'b.example', alpn: ['a', 'b'], minVersion: 'TLSv1.2' },
]
const KEYS: readonly string[] = [
  'path',
  'fd',
  'lookup',
  'localAddress',
  'localPort',
  'family',
  'hints',
  'onread',
  'signal',
  'socket',
  'secureContext',
  '__proto__',
  'constructor',
  'prototype',
  'hasOwnProperty',
  'toString',
  'toJSON',
  'then',
  'pool',
  'hosts',
  'reuse',
  'onConnect',
  'Host',
  'host ',
  '',
  '0',
  'hostname',
  'servername',
  'ca',
  'timeout',
  'connectTimeoutMs',
  'autoSelectFamily',
]

/** `seed` is any 32 bits but 0. */
export function targetFuzz(seed: number): Fuzz {
  let state = seed | 0
  const below = (bound: number): number => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % bound
  }
  const pick = (list: readonly unknown[]): unknown => list[below(list.length)]
  const text = (): string =>
    String.fromCharCode(...Array.from({ length: below(12) }, () => below(below(2) ? 128 : 65_536)))
  const anything = (depth: number): unknown => {
    switch (below(depth > 3 ? 5 : 7)) {
      case 0:
        return text()
      case 1:
        return below(70_000) - 1_000
      case 2:
        return pick([null, true, false, 0.5, 1e300, ''])
      case 3:
        return pick(HOSTS)
      case 4:
        return pick(PORTS)
      case 5:
        return Array.from({ length: below(4) }, () => anything(depth + 1))
      default:
        return Object.fromEntries(Array.from({ length: below(4) }, () => [key(), anything(depth + 1)]))
    }
  }
  const key = (): string => (below(3) ? String(pick(KEYS)) : text())
  const next = (): unknown => {
    const shape = below(16)
    if (shape === 0) return anything(0)
    // Half of the hosts and ports are whole, so that the other fields are looked at.
    const fields: [string, unknown][] = []
    if (shape !== 1) fields.push(['host', below(2) ? pick(['a.example', '8.8.8.8', text()]) : pick(HOSTS)])
    if (shape !== 2) fields.push(['port', below(2) ? 1 + below(65_535) : pick(PORTS)])
    if (below(2)) fields.push(['tls', below(4) ? pick(TLS) : anything(1)])
    if (below(6) === 0) fields.push([key(), anything(1)])
    return Object.fromEntries(fields)
  }
  return { next }
}
