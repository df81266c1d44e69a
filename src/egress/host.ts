/**
 * The one parser of hosts and ports. What it does not understand is refused before anything is resolved: two
 * parsers that read one text in two ways are how filters are passed, so this one takes only spellings that
 * have one reading. Unicode is never mapped (callers send Punycode), numbers are addresses or nothing.
 */
import { SockpoolError } from '../base/errors.ts'
import { type Address, parseAddress } from './address.ts'

/**
 * A host after parsing.
 *
 * Shape: `name` is lower case ASCII without the trailing dot, at most 253 characters.
 */
export type Host =
  | { readonly kind: 'address'; readonly address: Address }
  | { readonly kind: 'name'; readonly name: string }

const NAME_CHARACTERS_MAX = 253
const LABEL_CHARACTERS_MAX = 63
const NAME_CHARACTERS = /^[A-Za-z0-9._-]+$/
const PORT_MAX = 65_535

/**
 * Reads a host: a canonical dotted quad, an IPv6 literal without brackets (with its zone where it is link-local), or a name.
 *
 * A name is 1..253 characters of letters, digits, `.`, `_` and `-` in labels of 1..63, its last label begins
 * with a letter (so 127.1, 0x7f000001 and 256.1.1.1 are not names), one trailing dot is taken off.
 * Errors: INVALID_REQUEST with the path `host`; the text itself is not repeated.
 */
export function parseHost(host: unknown): Host {
  if (typeof host !== 'string') throw malformed('host', 'must be a string')
  if (host === '') throw malformed('host', 'must not be empty')
  if (host.length > NAME_CHARACTERS_MAX + 1) throw malformed('host', 'is too long')
  const address = parseAddress(host)
  if (address) return { kind: 'address', address }
  if (!NAME_CHARACTERS.test(host))
    throw malformed('host', 'must be a name of ASCII letters, digits, "." "_" "-", or a canonical IP address')
  return { kind: 'name', name: parseName(host) }
}

/**
 * Reads a port: an integer 1..65535, never a string.
 *
 * Errors: INVALID_REQUEST with the path `port`.
 */
export function parsePort(port: unknown): number {
  if (typeof port === 'number' && Number.isInteger(port) && port >= 1 && port <= PORT_MAX) return port
  throw malformed('port', `must be an integer 1..${PORT_MAX}`)
}

function parseName(host: string): string {
  const name = (host.endsWith('.') ? host.slice(0, -1) : host).toLowerCase()
  if (name.length > NAME_CHARACTERS_MAX) throw malformed('host', 'is too long')
  const labels = name.split('.')
  if (!labels.every(label => label.length >= 1 && label.length <= LABEL_CHARACTERS_MAX))
    throw malformed('host', `labels must have 1..${LABEL_CHARACTERS_MAX} characters`)
  if (!/^[a-z]/.test(labels.at(-1) ?? ''))
    throw malformed('host', 'is neither a name nor an IP address in its canonical spelling')
  return name
}

function malformed(path: 'host' | 'port', message: string): SockpoolError {
  return new SockpoolError('INVALID_REQUEST', `${path} ${message}`, { errors: [{ path, message }] })
}
