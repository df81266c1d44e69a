/** What a program says of the service that it wants to reach, judged: as far as every runtime knows it. */
import { CLIENT_LIMITS } from '../base/client-limits.ts'
import { countOption, durationOption, invalidOption, optionsObject, textOption } from '../base/options.ts'
import type { WireTls } from './wire.ts'

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

/** The address of a service over HTTP, without a slash at its end. Errors: INVALID_REQUEST. */
export function serviceBase(url: string | URL): string {
  const parsed = typeof url === 'string' || url instanceof URL ? URL.parse(String(url)) : null
  if (parsed === null || !['http:', 'https:'].includes(parsed.protocol))
    throw invalidOption('url', 'must be http://…, https://… or unix:PATH')
  const { username, password, search, hash, origin, pathname } = parsed
  if (username !== '' || password !== '')
    throw invalidOption('url', 'must hold no password: the token is an option')
  if (search !== '' || hash !== '') throw invalidOption('url', 'must have no query and no fragment')
  return `${origin}${pathname.replace(/\/+$/, '')}`
}

/** Whether the address is a unix socket's, which Node alone can reach. */
export function isUnix(url: string | URL): boolean {
  return (typeof url === 'string' || url instanceof URL) && String(url).startsWith('unix:')
}

/** Errors: INVALID_REQUEST. */
export function judgedToken(token: string | undefined): string | null {
  textOption('token', token)
  if (token === undefined) return null
  if (!/^[\x21-\x7e]+$/.test(token))
    throw invalidOption('token', 'must be of visible ASCII characters, without spaces')
  return token
}

/** Errors: INVALID_REQUEST. */
export function judgedRetry(retry: ConnectPoolOptions['retry']): RetryBounds {
  if (retry === false) return { attempts: 1, budgetMs: 0 }
  const { attempts, budgetMs } = retry === undefined ? {} : optionsObject(retry, 'retry')
  return {
    attempts:
      countOption('retry.attempts', attempts, 1, CLIENT_LIMITS.retryAttemptsMax) ??
      CLIENT_LIMITS.retryAttempts,
    budgetMs: durationOption('retry.budgetMs', budgetMs) ?? CLIENT_LIMITS.retryBudgetMs,
  }
}
