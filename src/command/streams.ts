/** The three streams a command speaks through; tests give their own. */
import type { Readable, Writable } from 'node:stream'

export type Streams = {
  readonly stdin: Readable
  readonly stdout: Writable
  readonly stderr: Writable
}

/** Writes and waits until the stream has taken it, so that an exit right after loses nothing. */
export function print(stream: Writable, data: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(data, error => (error ? reject(error) : resolve()))
  })
}
