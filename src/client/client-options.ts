/** What a program says of the service that it wants to reach, judged. */
import { LIMITS } from '../base/limits.ts'
import { countOption, durationOption, invalidOption, optionsObject, textOption } from '../base/options.ts'
import type { WireOptions, WireTls } from './wire.ts'

export type RetryOptions = {
  /** Tries of one call; default 3. */
  readonly attempts?: number | undefined
  /** Milliseconds for all of them, pauses included; default 10,000. */
  readonly budgetMs?: number | undefined
}

export type ConnectPoolOptions = {
  /** What the service lets its caller in by; default: none. */
  readonly token?: string | undefined
  /** On Node alone, for `https:`. PEM as text or bytes; `cert` with `key` is what the service asks of its clients. */
  readonly tls?: WireTls | undefined
  /** Whether calls are repeated whose connection to the service broke; false: never. */
  readonly retry?: RetryOptions | false | undefined
}

export type RetryBounds = { readonly attempts: number; readonly budgetMs: number }

export type JudgedConnect = { readonly wire: WireOptions; readonly retry: RetryBounds }

/** Errors: INVALID_REQUEST. */
export function judgedConnect(url: string | URL, options: ConnectPoolOptions): JudgedConnect {
  const { token, tls, retry } = optionsObject(options)
  const place = placeOf(url)
  const judgedTls = tls === undefined ? null : judgedTlsOf(tls)
  if (judgedTls !== null && !place.base.startsWith('https:'))
    throw invalidOption('tls', 'is for a service at an https: URL')
  return { wire: { ...place, token: judgedToken(token), tls: judgedTls }, retry: judgedRetry(retry) }
}

const UNIX = 'unix:'

function placeOf(url: string | URL): Pick<WireOptions, 'base' | 'socketPath'> {
  if (typeof url !== 'string' && !(url instanceof URL))
    throw invalidOption('url', 'must be a string or a URL')
  const text = String(url)
  if (text.startsWith(UNIX)) {
    const path = decodedPath(text.slice(UNIX.length))
    if (path === '') throw invalidOption('url', 'unix: is followed by the path of the socket')
    return { base: 'http://localhost', socketPath: path }
  }
  const parsed = URL.parse(text)
  if (parsed === null || !['http:', 'https:'].includes(parsed.protocol))
    throw invalidOption('url', 'must be http://…, https://… or unix:PATH')
  const { username, password, search, hash, origin, pathname } = parsed
  if (username !== '' || password !== '')
    throw invalidOption('url', 'must hold no password: the token is an option')
  if (search !== '' || hash !== '') throw invalidOption('url', 'must have no query and no fragment')
  return { base: `${origin}${pathname.replace(/\/+$/, '')}`, socketPath: null }
}

/** `unix:///run/a.sock` is the same place as `unix:/run/a.sock`. */
function decodedPath(path: string): string {
  return path.replace(/^\/\/+/, '/')
}

function judgedToken(token: string | undefined): string | null {
  textOption('token', token)
  if (token === undefined) return null
  if (!/^[\x21-\x7e]+$/.test(token))
    throw invalidOption('token', 'must be of visible ASCII characters, without spaces')
  return token
}

const PEM_FIELDS = ['ca', 'cert', 'key'] as const

function judgedTlsOf(tls: WireTls): WireTls {
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

function judgedRetry(retry: ConnectPoolOptions['retry']): RetryBounds {
  if (retry === false) return { attempts: 1, budgetMs: 0 }
  const { attempts, budgetMs } = retry === undefined ? {} : optionsObject(retry, 'retry')
  return {
    attempts: countOption('retry.attempts', attempts, 1, LIMITS.retryAttemptsMax) ?? LIMITS.retryAttempts,
    budgetMs: durationOption('retry.budgetMs', budgetMs) ?? LIMITS.retryBudgetMs,
  }
}
