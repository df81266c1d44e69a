/** What is used of Node's own modules, in the client's build for browsers. */
import { SockpoolError } from '../../base/errors.ts'

/** Of Node's `inspect`: elsewhere the ends of a stream are shown as everything is. */
export function showAs(): void {}

/** As `showAs`: nobody asks. */
export function readerText(): string {
  return ''
}

/** Of an error: what it says, and OpenSSL says nothing here that would have to be made readable. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message || error.name : String(error)
}

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
