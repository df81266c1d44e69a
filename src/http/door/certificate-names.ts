/**
 * The names that a client certificate stands for. The listener asks for a certificate but lets callers without one
 * connect, because the probes have none; so each connection is asked here whether its certificate was verified.
 */
import { relayedPeer } from './relayed-peer.ts'

/** The part of a TLS connection that is used here; a plain connection has none of it. */
interface TlsPeer {
  readonly authorized?: boolean
  getPeerCertificate?(): {
    readonly subject?: { readonly CN?: unknown }
    readonly subjectaltname?: unknown
  } | null
}

/** One entry of the list that Node joins by commas. Node quotes a value with special characters as JSON. */
const ALT_NAME = /([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^",]*)(?:, |$)/y
const NAMES = new WeakMap<object, readonly string[]>()

/** The common name and then the first DNS or URI name; none where no certificate was verified. */
export function certificateNames(socket: object): readonly string[] {
  const relayed = relayedPeer(socket)
  if (relayed) return relayed.names
  const peer: TlsPeer = socket
  if (!isVerified(socket) || peer.getPeerCertificate === undefined) return []
  const known = NAMES.get(socket)
  if (known) return known
  const certificate = peer.getPeerCertificate()
  const { CN } = certificate?.subject ?? {}
  // Several common names come as a list. Nobody can say which one is meant, so none is taken.
  const names = [CN, alternativeName(certificate?.subjectaltname)].filter(name => typeof name === 'string')
  NAMES.set(socket, names)
  return names
}

/** Whether the client showed a certificate that an authority trusted by the listener has signed. */
export function isVerified(socket: object): boolean {
  const relayed = relayedPeer(socket)
  if (relayed) return relayed.isVerified
  const peer: TlsPeer = socket
  return peer.authorized === true
}

/** Reads entry by entry, so that the text of a quoted value is never taken for an entry; an unreadable entry ends it. */
function alternativeName(list: unknown): string | null {
  if (typeof list !== 'string') return null
  ALT_NAME.lastIndex = 0
  for (let entry = ALT_NAME.exec(list); entry; entry = ALT_NAME.exec(list)) {
    const [, kind, value = ''] = entry
    if (kind === 'DNS' || kind === 'URI') return unquoted(value)
  }
  return null
}

function unquoted(value: string): string | null {
  if (!value.startsWith('"')) return value
  try {
    return String(JSON.parse(value))
  } catch {
    return null
  }
}
