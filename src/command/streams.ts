/** The three streams a command speaks through; tests give their own. */
import type { Readable, Writable } from 'node:stream'
import { CommandError } from './command-error.ts'

export type Streams = {
  readonly stdin: Readable
  readonly stdout: Writable
  readonly stderr: Writable
}

/** Whoever read the output has gone away, as `head` does: there is nothing to say and nobody to say it to. */
export class ReaderGone extends Error {}

/**
 * Writes and waits until the stream has taken it, so that an exit right after loses nothing.
 *
 * Errors: ReaderGone; CommandError with exit code 1 where the output cannot be written for another reason.
 */
export function print(stream: Writable, data: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(data, error => (error ? reject(printError(error)) : resolve()))
  })
}

/** Keeps what goes wrong with the output from ending the process: whoever writes hears of it where it writes. */
export function guardOutputs({ stdout, stderr }: Streams): void {
  for (const stream of [stdout, stderr])
    if (!stream.listeners('error').includes(ignore)) stream.on('error', ignore)
}

function ignore(): void {}

function printError(error: Error): Error {
  const code = 'code' in error ? error.code : undefined
  if (code === 'EPIPE' || code === 'ECONNRESET' || code === 'ERR_STREAM_DESTROYED')
    return new ReaderGone('the reader of the output has gone', { cause: error })
  return new CommandError(1, `cannot write the output: ${error.message}`, { cause: error })
}
