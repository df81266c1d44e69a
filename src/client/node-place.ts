/** Where the service is, as Node alone can reach it: at a unix socket too, and with certificates of the program's own. */
import { invalidOption, optionsObject, textOption } from '../base/options.ts'
import { isUnix, serviceBase } from './client-options.ts'
import type { WireTls } from './wire.ts'

export type NodePlace = {
  /** `http:` or `https:`, without a slash at its end. With `socketPath` the host is a form. */
  readonly base: string
  /** The unix socket that the service listens on; null for TCP. */
  readonly socketPath: string | null
  readonly tls: WireTls | null
}

/** Errors: INVALID_REQUEST. */
export function judgedPlace(url: string | URL, tls: WireTls | undefined): NodePlace {
  const socketPath = isUnix(url) ? pathOf(String(url)) : null
  const base = socketPath === null ? serviceBase(url) : 'http://localhost'
  if (tls === undefined) return { base, socketPath, tls: null }
  const judged = judgedTls(tls)
  if (!base.startsWith('https:')) throw invalidOption('tls', 'is for a service at an https: URL')
  return { base, socketPath, tls: judged }
}

/** `unix:///run/a.sock` is the same place as `unix:/run/a.sock`. */
function pathOf(url: string): string {
  const path = url.slice('unix:'.length).replace(/^\/\/+/, '/')
  if (path === '') throw invalidOption('url', 'unix: is followed by the path of the socket')
  return path
}

const PEM_FIELDS = ['ca', 'cert', 'key'] as const

function judgedTls(tls: WireTls): WireTls {
  const { ca, cert, key, servername, ...others } = optionsObject(tls, 'tls')
  const [unknown] = Object.keys(others)
  if (unknown !== undefined) throw invalidOption(`tls.${unknown}`, 'is not a known key')
  const judged = { ca, cert, key, servername: textOption('tls.servername', servername) }
  for (const name of PEM_FIELDS) {
    const value: unknown = judged[name]
    if (value !== undefined && typeof value !== 'string' && !(value instanceof Uint8Array))
      throw invalidOption(`tls.${name}`, 'must be PEM, as a string or a Uint8Array')
  }
  if ((cert === undefined) !== (key === undefined)) throw invalidOption('tls.cert', 'and key go together')
  return judged
}
