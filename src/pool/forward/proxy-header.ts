/**
 * The header of the PROXY protocol, version 2: whose connection this is, said before anything else.
 *
 *   0        12        13       14        16                          32 …
 *   ├────────┼─────────┼────────┼─────────┼──────────────────────────────┤
 *   │ magic  │ 2·command│ family │ length  │ source, destination, ports   │
 *   └────────┴─────────┴────────┴─────────┴──────────────────────────────┘
 *
 * `PROXY` names a client; `LOCAL` says that the sender speaks for itself, as where nobody has connected.
 * Source: haproxy.org, proxy-protocol.txt, section 2.2.
 */
import { type Address, parseAddress } from '../../egress/address.ts'
import type { ClientFacts } from '../../threads/protocol.ts'

const MAGIC = Buffer.from('0d0a0d0a000d0a515549540a', 'hex')
const LOCAL = 0x20
const PROXY = 0x21
/** The address family in the upper half, a stream in the lower. */
const FAMILY = { none: 0x00, ipv4: 0x11, ipv6: 0x21, unix: 0x31 } as const
/** Bytes of one path of a unix socket, filled up with zeros. */
const PATH_BYTES = 108

/** What a connection says that is nobody's but this process's own. */
export const LOCAL_HEADER: Uint8Array = header(LOCAL, FAMILY.none, Buffer.alloc(0))

/** What a client's connection says. A client whose addresses nobody knows is told as LOCAL. */
export function proxyHeader({ remoteAddress, remotePort, localAddress, localPort }: ClientFacts): Uint8Array {
  if (localPort === 0 && localAddress.startsWith('/'))
    return header(PROXY, FAMILY.unix, Buffer.concat([path(remoteAddress), path(localAddress)]))
  const source = parseAddress(remoteAddress)
  const destination = parseAddress(localAddress)
  if (source === undefined || destination === undefined) return LOCAL_HEADER
  const isIPv4 = source.family === 4 && destination.family === 4
  const bytes = isIPv4 ? (address: Address) => address.bytes : inIPv6
  const ports = Buffer.alloc(4)
  ports.writeUInt16BE(remotePort, 0)
  ports.writeUInt16BE(localPort, 2)
  const family = isIPv4 ? FAMILY.ipv4 : FAMILY.ipv6
  return header(PROXY, family, Buffer.concat([bytes(source), bytes(destination), ports]))
}

function header(command: number, family: number, addresses: Buffer): Buffer {
  const head = Buffer.alloc(4)
  head.writeUInt8(command, 0)
  head.writeUInt8(family, 1)
  head.writeUInt16BE(addresses.length, 2)
  return Buffer.concat([MAGIC, head, addresses])
}

/** An IPv4 address beside an IPv6 one stands as IPv6 maps it. */
function inIPv6({ family, bytes }: Address): Uint8Array {
  if (family === 6) return bytes
  return Buffer.concat([Buffer.alloc(10), Buffer.from([0xff, 0xff]), bytes])
}

/** A client of a unix socket seldom has a path of its own. One that does not fit is cut, as the kernel's own are. */
function path(text: string): Buffer {
  const bytes = Buffer.alloc(PATH_BYTES)
  bytes.write(text, 'utf8')
  return bytes
}
