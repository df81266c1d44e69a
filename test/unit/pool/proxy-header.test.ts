import { expect, test } from 'vitest'
import { LOCAL_HEADER, proxyHeader } from '../../../src/pool/forward/proxy-header.ts'

const MAGIC = '0d0a0d0a000d0a515549540a'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

test.each([
  [
    'IPv4',
    { remoteAddress: '192.0.2.1', remotePort: 4_660, localAddress: '198.51.100.2', localPort: 443 },
    '2111000cc0000201c6336402123401bb',
  ],
  [
    'IPv6',
    { remoteAddress: '2001:db8::1', remotePort: 1, localAddress: '2001:db8::2', localPort: 65_535 },
    '2121002420010db800000000000000000000000120010db80000000000000000000000020001ffff',
  ],
  [
    'IPv4 as IPv6 maps it',
    { remoteAddress: '::ffff:192.0.2.1', remotePort: 1, localAddress: '::ffff:192.0.2.2', localPort: 2 },
    '2111000cc0000201c000020200010002',
  ],
  [
    'a link-local address with its zone',
    { remoteAddress: 'fe80::1%eth0', remotePort: 1, localAddress: 'fe80::2%eth0', localPort: 2 },
    '21210024fe800000000000000000000000000001fe80000000000000000000000000000200010002',
  ],
  [
    'a unix socket',
    { remoteAddress: '', remotePort: 0, localAddress: '/run/a.sock', localPort: 0 },
    `213100d8${'00'.repeat(108)}${Buffer.from('/run/a.sock').toString('hex').padEnd(216, '0')}`,
  ],
  [
    'nobody, once the client is gone',
    { remoteAddress: '', remotePort: 0, localAddress: '', localPort: 0 },
    '20000000',
  ],
])('proxyHeader names a client: %s', (_what, client, expected) => {
  expect(hex(proxyHeader(client))).toBe(MAGIC + expected)
})

test('LOCAL_HEADER names nobody', () => {
  expect(hex(LOCAL_HEADER)).toBe(`${MAGIC}20000000`)
})
