/** What is used of Node's own modules, in the client's build for browsers. */
import { SockpoolError } from '../../base/errors.ts'

/** Of `node:util`. */
export const inspect: ((value: unknown) => string) & { readonly custom: symbol } = Object.assign(
  (value: unknown): string => (typeof value === 'string' ? `'${value}'` : String(value)),
  { custom: Symbol.for('nodejs.util.inspect.custom') },
)

/** Of `node:path`. */
export function isAbsolute(path: string): boolean {
  return path.startsWith('/')
}

/** Of `node:url`. */
export function pathToFileURL(path: string): URL {
  return new URL(path, 'file:///')
}

/** Of `node:http`: the methods that a request may have. */
export const METHODS: readonly string[] = [
  ...[
    'ACL',
    'BIND',
    'CHECKOUT',
    'CONNECT',
    'COPY',
    'DELETE',
    'GET',
    'HEAD',
    'LINK',
    'LOCK',
    'M-SEARCH',
    'MERGE',
  ],
  ...[
    'MKACTIVITY',
    'MKCALENDAR',
    'MKCOL',
    'MOVE',
    'NOTIFY',
    'OPTIONS',
    'PATCH',
    'POST',
    'PROPFIND',
    'PROPPATCH',
  ],
  ...['PURGE', 'PUT', 'REBIND', 'REPORT', 'SEARCH', 'SOURCE', 'SUBSCRIBE', 'TRACE', 'UNBIND', 'UNLINK'],
  ...['UNLOCK', 'UNSUBSCRIBE'],
]

/** A duplex is a stream of Node's. Errors: UNSUPPORTED. */
class NoDuplex {
  constructor() {
    throw new SockpoolError(
      'UNSUPPORTED',
      'toDuplex() gives a stream of Node, which this runtime does not have: toWeb() does',
    )
  }
}

// It has the name of what it stands for.
export { NoDuplex as SocketDuplex }
