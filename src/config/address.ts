/**
 * Addresses as the configuration writes them. Only their shape is judged here; which of them may be dialled is
 * for egress to say.
 */
import { unixPathFault } from '../base/unix-path.ts'
import { isRecord } from './schema-node.ts'

export type TcpAddress = { readonly kind: 'tcp'; readonly host: string; readonly port: number }
export type UnixAddress = { readonly kind: 'unix'; readonly path: string }
export type ListenAddress = TcpAddress | UnixAddress

/** A socket that the process was started with, by its descriptor, and that listens, or is bound and may. */
export type InheritedSocket = { readonly kind: 'fd'; readonly fd: number }

/** Where the service itself listens. */
export type ServeAddress = ListenAddress | InheritedSocket

/** One place of a target. IPv6 literals stand without brackets. */
export type HostPort = { readonly host: string; readonly port: number }

/** With the zone that a link-local or multicast one may have: `fe80::1%eth0`. */
const ADDRESS6 = /^(?:[0-9A-Fa-f:.]{2,45}|(?:fe[89ab]|ff)[0-9a-f:.]{1,43}%[A-Za-z0-9][A-Za-z0-9._-]{0,14})$/i

/**
 * `HOST:PORT`, `[IPV6]:PORT` or `unix:PATH`; null where the text is neither.
 *
 * Port 0 asks the system for a free one.
 */
export function parseListenAddress(text: unknown): ListenAddress | null {
  if (typeof text !== 'string') return null
  if (!text.startsWith('unix:')) return parseTcpAddress(text)
  const path = text.slice('unix:'.length)
  return unixPathFault(path) === null ? { kind: 'unix', path } : null
}

/** As `parseListenAddress`, or `fd:N`. The first three descriptors are those of the standard streams. */
export function parseServeAddress(text: unknown): ServeAddress | null {
  const [, fd] = (typeof text === 'string' && /^fd:([1-9]\d{0,5})$/.exec(text)) || []
  if (fd === undefined) return parseListenAddress(text)
  return Number(fd) > 2 ? { kind: 'fd', fd: Number(fd) } : null
}

/** `HOST:PORT` or `[IPV6]:PORT`, port 0 included; null where the text is neither. */
export function parseTcpAddress(text: unknown): TcpAddress | null {
  if (typeof text !== 'string') return null
  const parts = /^(\[[^\]]*\]|[^:]+):(\d{1,5})$/.exec(text)
  if (!parts) return null
  const host = parseHostText(parts[1])
  const port = Number(parts[2])
  return host !== null && port <= 65_535 ? { kind: 'tcp', host, port } : null
}

/** `HOST:PORT` or `{host, port}` with a port to dial, 1..65535; null where the value is neither. */
export function parseHostPort(value: unknown): HostPort | null {
  if (isRecord(value)) {
    const { host, port } = value as Record<'host' | 'port', unknown>
    const name = parseHostText(host)
    return name !== null && isDialPort(port) && Object.keys(value).length === 2 ? { host: name, port } : null
  }
  const address = parseTcpAddress(value)
  return address && isDialPort(address.port) ? { host: address.host, port: address.port } : null
}

/**
 * A host without its brackets; null where it holds what no name or address can. In brackets it stands as in a URL, where
 * a zone may be written behind `%25` too.
 */
export function parseHostText(value: unknown): string | null {
  if (typeof value !== 'string') return null
  const bracketed = /^\[([0-9A-Fa-f.]*:[^\]]*)\]$/.exec(value)
  const host = bracketed?.[1]?.replace(/%25(?=.)/, '%') ?? value
  const isAddress6 = host.includes(':') && ADDRESS6.test(host)
  return isAddress6 || /^(?=.{1,254}$)[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_.])?$/.test(host) ? host : null
}

/** Whether the address is one that only this machine reaches: 127.0.0.0/8, ::1, localhost, a unix socket. */
export function isLocalOnly(address: ListenAddress): boolean {
  if (address.kind === 'unix') return true
  const host = address.host.toLowerCase()
  return host === 'localhost' || host === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host)
}

/** The address as the configuration writes it. */
export function formatAddress(address: ServeAddress): string {
  if (address.kind === 'fd') return `fd:${address.fd}`
  if (address.kind === 'unix') return `unix:${address.path}`
  return `${bracketed(address.host)}:${address.port}`
}

/**
 * The URL under which a client of this machine reaches the address: a wildcard host becomes the loopback one, and
 * a unix socket stays `unix:PATH`.
 */
export function localUrl(address: ListenAddress, scheme: 'http' | 'https'): string {
  if (address.kind === 'unix') return formatAddress(address)
  const loopback = new Map([
    ['0.0.0.0', '127.0.0.1'],
    ['::', '::1'],
  ])
  const host = (loopback.get(address.host) ?? address.host).replace('%', '%25')
  return `${scheme}://${bracketed(host)}:${address.port}`
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}

function isDialPort(port: unknown): port is number {
  return Number.isInteger(port) && Number(port) >= 1 && Number(port) <= 65_535
}
