/**
 * What a front door says itself, in the words of the protocol: of a request that could not be answered, of bytes that are
 * no request, and to a client that takes its leave. What it tells of a fault is its code and the title of that: nothing of
 * where the target is, and nothing that a client has sent.
 */
import { ERROR_TITLES } from '../../base/error-titles.ts'
import type { SockpoolError } from '../../base/errors.ts'

export interface ForwardWords {
  /** Stands in the place of an answer; null where the protocol has no words, and the client is disconnected. */
  failure(error: SockpoolError): Buffer | null
  /** To what is no request; then the client is disconnected, as nobody knows where the next one begins. Null: nothing. */
  broken(error: SockpoolError): Buffer | null
  /** To a client that quits. Null: nothing. */
  readonly farewell: Buffer | null
  /** A failure is the last that a client hears. */
  readonly failsLast: boolean
}

const RESP: ForwardWords = {
  failure: error => Buffer.from(`-ERR ${textOf(error)}\r\n`),
  broken: error => Buffer.from(`-ERR Protocol error: ${faultOf(error)}\r\n`),
  farewell: Buffer.from('+OK\r\n'),
  failsLast: false,
}

const MEMCACHED: ForwardWords = {
  failure: error => Buffer.from(`SERVER_ERROR ${textOf(error)}\r\n`),
  broken: error => Buffer.from(`CLIENT_ERROR ${faultOf(error)}\r\n`),
  farewell: null,
  failsLast: false,
}

/** Whether an answer may have a body depends on its request, so that nothing may follow these. */
const HTTP1: ForwardWords = {
  failure: error => httpAnswer(error.status >= 500 ? error.status : 502, textOf(error)),
  broken: error => httpAnswer(400, faultOf(error)),
  farewell: null,
  failsLast: true,
}

const NONE: ForwardWords = { failure: () => null, broken: () => null, farewell: null, failsLast: true }

const BY_FRAME: Readonly<Record<string, ForwardWords>> = { resp: RESP, memcached: MEMCACHED, http1: HTTP1 }

/** `frame`: its name. */
export function wordsOf(frame: string): ForwardWords {
  return BY_FRAME[frame] ?? NONE
}

function textOf({ code }: SockpoolError): string {
  return `${code.toLowerCase()}: ${ERROR_TITLES[code]}`
}

/** What is wrong with a request. */
function faultOf({ code }: SockpoolError): string {
  return code === 'LIMIT_OVERRUN' ? 'the request is too long' : 'the request is malformed'
}

const STATUS_TEXTS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  500: 'Internal Server Error',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
}

function httpAnswer(status: number, text: string): Buffer {
  const body = `${text}\n`
  const head = [
    `HTTP/1.1 ${status} ${STATUS_TEXTS[status] ?? 'Bad Gateway'}`,
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ]
  return Buffer.from(`${head.join('\r\n')}\r\n\r\n${body}`)
}
