/**
 * IP addresses as bytes. Everything that judges or compares addresses in this layer works on `bytes`; the
 * text is only for dialling and for reading. There is one reader for each family and it takes less than the
 * system's do: no octal, hexadecimal, short or padded IPv4, no brackets. An IPv4 address written as
 * IPv6 (::ffff:0:0/96) does not exist here: it is unwrapped on the way in, so that no rule can miss it.
 *
 * A link-local or multicast IPv6 address means another machine on each link, so it may carry the zone that says which:
 * `fe80::1%eth0`, the interface by its name or number. It is judged by its bytes, and dialled and checked by both.
 */

/**
 * One address; plain data that crosses threads.
 *
 * Shape: `bytes` has 4 or 16 bytes in network order and is not to be changed; `text` is its one spelling
 *   (dotted quad, or IPv6 as RFC 5952 writes it, with `%` and the zone behind it where it has one).
 */
export type Address = {
  readonly family: 4 | 6
  readonly bytes: Uint8Array
  readonly text: string
  /** The interface that it is on the link of, as written; the default one where there is none. */
  readonly zone?: string
}

const GROUPS = 8
const QUAD = /^(?:0|[1-9]\d{0,2})(?:\.(?:0|[1-9]\d{0,2})){3}$/
const GROUP = /^[0-9a-fA-F]{1,4}$/
/** The longest spelling of IPv6, with a dotted quad at its end; no longer text is looked at. */
const TEXT_MAX = 45
/** What names of interfaces are made of in practice; Linux allows 15 characters, and more kinds that nobody needs. */
const ZONE = /^[A-Za-z0-9][A-Za-z0-9._-]{0,14}$/

/**
 * Reads an address in a spelling that all parsers of the world agree upon.
 *
 * Shape: a canonical dotted quad, or IPv6 without brackets, in any case, with or without `::` and a
 *   dotted tail, and with a zone where it is link-local (fe80::/10) or multicast (ff00::/8). IPv4-mapped IPv6 gives the
 *   IPv4 address. Anything else gives undefined.
 */
export function parseAddress(text: string): Address | undefined {
  const percent = text.indexOf('%')
  if (percent < 0) return parsePlain(text)
  const zone = text.slice(percent + 1)
  const address = parsePlain(text.slice(0, percent))
  if (address === undefined || !ZONE.test(zone) || !mayHaveZone(address)) return undefined
  return { ...address, text: `${address.text}%${zone}`, zone }
}

function parsePlain(text: string): Address | undefined {
  if (text.length > TEXT_MAX) return undefined
  const bytes = text.includes(':') ? parseIPv6(text) : parseIPv4(text)
  return bytes && addressOf(bytes)
}

/**
 * Makes an address of its bytes (4 or 16, copied); IPv4-mapped ones come out as IPv4.
 */
export function addressOf(bytes: Uint8Array): Address {
  if (bytes.length === 4) return { family: 4, bytes: bytes.slice(), text: bytes.join('.') }
  return isMapped(bytes) ? addressOf(bytes.subarray(12)) : addressOfPlain(bytes)
}

/** The address without the zone, for whoever has no link in mind: a certificate, say. */
export function withoutZone(text: string): string {
  return text.includes(':') ? (text.split('%')[0] ?? text) : text
}

function mayHaveZone({ family, bytes: [first = 0, second = 0] }: Address): boolean {
  return family === 6 && (first === 0xff || (first === 0xfe && (second & 0xc0) === 0x80))
}

/** Whether both are the same address, whatever their spelling was, on whichever link. */
export function equalAddresses(one: Address, other: Address): boolean {
  return one.family === other.family && one.bytes.every((byte, index) => byte === other.bytes[index])
}

/**
 * Whether a socket's `remoteAddress` is the address that was approved, for the check after connect.
 *
 * The system may leave out the zone, or write by name the one that was approved by number: `nameOf` knows the name of an
 * interface's number. Fails closed: no address, another zone or an unreadable text is not the same.
 */
export function sameAddress(
  remoteAddress: string | undefined,
  approved: Address,
  nameOf: (zone: string) => string = zone => zone,
): boolean {
  const remote = remoteAddress === undefined ? undefined : parseAddress(remoteAddress)
  if (remote === undefined || !equalAddresses(remote, approved)) return false
  if (remote.zone === undefined || approved.zone === undefined || remote.zone === approved.zone) return true
  return nameOf(remote.zone) === nameOf(approved.zone)
}

/** Whether the 16 bytes lie in ::ffff:0:0/96. */
function isMapped(bytes: Uint8Array): boolean {
  return bytes.subarray(0, 10).every(byte => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff
}

function addressOfPlain(bytes: Uint8Array): Address {
  return { family: 6, bytes: bytes.slice(), text: formatIPv6(bytes) }
}

function parseIPv4(text: string): Uint8Array | undefined {
  if (!QUAD.test(text)) return undefined
  const parts = text.split('.').map(Number)
  return parts.every(part => part <= 255) ? Uint8Array.from(parts) : undefined
}

function parseIPv6(text: string): Uint8Array | undefined {
  const halves = text.split('::')
  const [front = '', back] = halves
  if (halves.length > 2) return undefined
  // A dotted quad may only be the very end, so only the last half may hold one.
  const head = parseGroups(front, back === undefined)
  const tail = back === undefined ? [] : parseGroups(back, true)
  if (!head || !tail) return undefined
  const missing = GROUPS - head.length - tail.length
  if (back === undefined ? missing !== 0 : missing < 1) return undefined
  const groups = [...head, ...Array<number>(missing).fill(0), ...tail]
  return Uint8Array.from(groups.flatMap(group => [group >> 8, group & 0xff]))
}

function parseGroups(text: string, mayEndInQuad: boolean): number[] | undefined {
  if (text === '') return []
  const parts = text.split(':')
  const last = parts.at(-1) ?? ''
  const quad = mayEndInQuad && last.includes('.') ? parseIPv4(last) : undefined
  if (quad) parts.pop()
  if (!parts.every(part => GROUP.test(part))) return undefined
  const groups = parts.map(part => Number.parseInt(part, 16))
  return quad ? [...groups, ...groupsOf(quad)] : groups
}

function groupsOf(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  return Array.from({ length: bytes.length / 2 }, (_, index) => view.getUint16(index * 2))
}

/** RFC 5952: lower case, no leading zeros, the first longest run of two or more zero groups as `::`. */
function formatIPv6(bytes: Uint8Array): string {
  const groups = groupsOf(bytes)
  let start = 0
  let length = 1
  for (let from = 0, run = 0; from < GROUPS; from += run + 1) {
    run = 0
    while (groups[from + run] === 0) run += 1
    if (run > length) [start, length] = [from, run]
  }
  const hex = groups.map(group => group.toString(16))
  if (length === 1) return hex.join(':')
  return `${hex.slice(0, start).join(':')}::${hex.slice(start + length).join(':')}`
}
