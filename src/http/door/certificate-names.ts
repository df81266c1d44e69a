/**
 * The names that a client certificate stands for. The listener asks for one but lets callers without one connect, since
 * the probes need none; so whether it was verified is asked here, of each connection.
 */

/** What is asked of a TLS connection; a plain one has none of it. */
interface TlsPeer {
  readonly authorized?: boolean
  getPeerCertificate?(): {
    readonly subject?: { readonly CN?: unknown }
    readonly subjectaltname?: unknown
  } | null
}

/** One entry of the list that Node joins by commas; a value that holds special characters is quoted as JSON. */
const ALT_NAME = /([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^",]*)(?:, |$)/y
const NAMES = new WeakMap<object, readonly string[]>()

/** The common name and the first DNS or URI name, in this order; none where no certificate was verified. */
export function certificateNames(socket: object): readonly string[] {
  const peer: TlsPeer = socket
  if (!isVerified(socket) || peer.getPeerCertificate === undefined) return []
  const known = NAMES.get(socket)
  if (known) return known
  const certificate = peer.getPeerCertificate()
  const { CN } = certificate?.subject ?? {}
  // Two common names come as a list: which of them is meant is anyone's guess, so neither is.
  const names = [CN, alternativeName(certificate?.subjectaltname)].filter(name => typeof name === 'string')
  NAMES.set(socket, names)
  return names
}

/** Whether the other side showed a certificate of an authority that the listener trusts. */
export function isVerified(socket: object): boolean {
  const peer: TlsPeer = socket
  return peer.authorized === true
}

/** Entry by entry, so that no quoted value is taken for the entries it spells; what cannot be read ends the search. */
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
