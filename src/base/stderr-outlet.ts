/**
 * The process's stderr as the way out of the log, by what stands behind it.
 *
 *   pipe, socket   the stream of Node, which waits for the reader off this thread
 *   file           a write at once, as the system keeps the bytes; a full disk is an error of that write
 *   terminal       as a file, by a descriptor of its own that never blocks: a terminal may be stopped with Ctrl-S
 *
 * Node's own stream for the latter two takes a write for done that the disk took half of, and blocks on a terminal.
 */
import { constants, fstatSync, openSync, writeSync } from 'node:fs'
import { isatty } from 'node:tty'
import { LIMITS } from './limits.ts'
import type { LogOutlet } from './log-sink.ts'

const STDERR = 2

export function stderrOutlet(): LogOutlet {
  const stats = fstatSync(STDERR)
  return stats.isFIFO() || stats.isSocket() ? streamOutlet() : new DescriptorOutlet(descriptorOf())
}

function streamOutlet(): LogOutlet {
  // The callback of each write tells of the error too; without a listener the event would end the process.
  process.stderr.on('error', () => {})
  return {
    write: (bytes, done) => {
      process.stderr.write(bytes, error => done(error ? 0 : bytes.length, error ?? null))
    },
  }
}

function descriptorOf(): number {
  if (!isatty(STDERR)) return STDERR
  try {
    return openSync('/proc/self/fd/2', constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY)
  } catch {
    // No such file system here, or another user's terminal: then writes to it may block.
    return STDERR
  }
}

/** Writes to a descriptor at once, and waits where it says that it has no room yet. */
export class DescriptorOutlet implements LogOutlet {
  readonly #descriptor: number

  constructor(descriptor: number) {
    this.#descriptor = descriptor
  }

  write(bytes: Uint8Array, done: (written: number, error: Error | null) => void): void {
    this.#write(bytes, 0, done)
  }

  #write(bytes: Uint8Array, from: number, done: (written: number, error: Error | null) => void): void {
    let written = from
    try {
      while (written < bytes.length) written += writeSync(this.#descriptor, bytes, written)
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'EAGAIN')
        return void setTimeout(() => this.#write(bytes, written, done), LIMITS.logRetryMs).unref()
      return done(written, error instanceof Error ? error : new Error(String(error)))
    }
    done(written, null)
  }
}
