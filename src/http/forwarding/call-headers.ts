/**
 * Which headers pass between a caller and the instance that answers it. What concerns one connection alone does not; nor does
 * what the instance in between has judged itself, or says itself: the page that calls, and who may read the answer.
 */
import type { IncomingHttpHeaders } from 'node:http'
import { CALLER_HEADER, FORWARDED_HEADER } from '../door/forwarded-caller.ts'

/** RFC 9110, 7.6.1, and what older clients send. */
const OF_ONE_CONNECTION: readonly string[] = [
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]

/** The owner is reached under another host, of which the page is not. */
const OF_THE_PAGE: readonly string[] = [
  'origin',
  'referer',
  'sec-fetch-dest',
  'sec-fetch-mode',
  'sec-fetch-site',
  'sec-fetch-user',
]

/** Nobody outside says these. */
const OF_INSTANCES: readonly string[] = [CALLER_HEADER, FORWARDED_HEADER]

/** How long a body is, which is said of those that are passed on alone. */
const OF_A_BODY: readonly string[] = ['content-length', 'expect']

const NOT_SENT: ReadonlySet<string> = new Set([
  ...OF_ONE_CONNECTION,
  ...OF_THE_PAGE,
  ...OF_INSTANCES,
  ...OF_A_BODY,
])
/**
 * These stay, whatever `Connection` names: else who calls could have the owner not hear what it was known by here, or how
 * long the body is.
 */
const NEVER_NAMED = /^(?:authorization|content-length|host|sec-websocket-.*)$/

/** `upgrade` stays: 426 says by it what to ask for. */
const NOT_ANSWERED: ReadonlySet<string> = new Set(OF_ONE_CONNECTION.filter(name => name !== 'upgrade'))

export type CallHeaders = Readonly<Record<string, string | readonly string[]>>

/** Those of a request. */
export function sentHeaders(headers: IncomingHttpHeaders): CallHeaders {
  return without(headers, NOT_SENT)
}

/** Those that say how a body comes; a part of the above where there is one. */
export function framingOf(headers: IncomingHttpHeaders): CallHeaders {
  const { expect, 'content-length': length } = headers
  const framing = length === undefined ? { 'transfer-encoding': 'chunked' } : { 'content-length': length }
  return expect === undefined ? framing : { ...framing, expect }
}

/** Those of an answer. */
export function answeredHeaders(headers: IncomingHttpHeaders): Record<string, string | string[]> {
  const own = without(headers, NOT_ANSWERED)
  const kept = Object.entries(own).filter(([name]) => !name.startsWith('access-control-'))
  const { vary, ...others } = Object.fromEntries(kept) as Record<string, string | string[]>
  // Whether the answer depends on the page, the instance that it came to says itself.
  const varies = String(vary ?? '')
    .split(',')
    .map(name => name.trim())
    .filter(name => name !== '' && name !== 'origin')
  return { ...others, ...(varies.length > 0 && { vary: varies.join(', ') }) }
}

function without(headers: IncomingHttpHeaders, dropped: ReadonlySet<string>): CallHeaders {
  const named = namedBy(headers.connection)
  const kept = Object.entries(headers).filter(
    ([name, value]) => value !== undefined && !dropped.has(name) && !named.has(name),
  )
  return Object.fromEntries(kept) as CallHeaders
}

/** What `Connection` names concerns this connection alone too. */
function namedBy(connection = ''): ReadonlySet<string> {
  const names = connection.split(',').map(name => name.trim().toLowerCase())
  return new Set(names.filter(name => !NEVER_NAMED.test(name)))
}
