/**
 * The targets to which a forward says whose a connection is. Their servers await a PROXY header on every connection, so what
 * is dialled for nobody, as to keep it warm, or for a caller of the API, bears one that says so; a client's own stands in
 * its place. It goes before TLS.
 */
import type { ForwardConfig } from '../config/forward.ts'
import type { Target } from '../config/target.ts'
import { LOCAL_HEADER } from '../pool/forward/proxy-header.ts'

export function announcedTargets(
  targets: Readonly<Record<string, Target>>,
  forwards: readonly ForwardConfig[],
): Readonly<Record<string, Target>> {
  const names = new Set(
    forwards.filter(({ proxyProtocol }) => proxyProtocol === 'v2').map(({ target }) => target),
  )
  const entries = Object.entries(targets)
  return Object.fromEntries(
    entries.map(([name, target]) => [name, names.has(name) ? announced(target) : target]),
  )
}

function announced(target: Target): Target {
  const { tls, onConnect = [] } = target
  // The configuration has no module beside such a header.
  if ('module' in onConnect) return target
  const startsTls = onConnect.some(step => 'tls' in step)
  const header = { send: { base64: Buffer.from(LOCAL_HEADER).toString('base64') } }
  const secure = tls !== false && !startsTls ? [{ tls: true } as const] : []
  return { ...target, onConnect: [header, ...secure, ...onConnect] }
}
