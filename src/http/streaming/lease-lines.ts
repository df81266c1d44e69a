/**
 * The lines of a lease as they come, each sent when the client has taken those before: a client that does not read stops
 * the peer. For the lease it is one operation and one read. It ends with the stream, with what broke it, or with its
 * client; then what was not read is still there.
 */
import { IncompleteReadError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import type { CallerLease } from '../leases/caller-lease.ts'
import type { LineForm } from './line-form.ts'
import type { OutStream } from './out-stream.ts'
import type { SentLine } from './sent-lines.ts'

export type LeaseLinesOptions = {
  readonly held: CallerLease
  readonly out: OutStream
  readonly form: LineForm
  /** Bytes of a line before its end; default: the reader's. */
  readonly limit: number | undefined
  /** The client has gone. */
  readonly signal: AbortSignal
  /** Lines that the client has lost on the way. */
  readonly lost: readonly SentLine[]
  /** Hears of each line that is sent. */
  readonly onLine: (line: SentLine) => void
}

export class LeaseLines {
  readonly #options: LeaseLinesOptions

  constructor(options: LeaseLinesOptions) {
    this.#options = options
  }

  /** Resolves when nothing reads the lease any more. It never rejects. */
  async run(): Promise<void> {
    const { held, out, form, signal } = this.#options
    const { comment } = form
    const quiet = setInterval(() => {
      if (comment !== null && out.isIdle) out.write(comment).catch(() => 'the read hears of it')
    }, LIMITS.streamPingMs).unref()
    try {
      await held.read('lines', () => this.#pass())
    } catch (error) {
      // Nobody is there to be told.
      if (signal.aborted || out.destroyed) out.destroy()
      else await this.#fail(error)
    } finally {
      clearInterval(quiet)
    }
  }

  /** Errors: what ended it before the stream's end. */
  async #pass(): Promise<void> {
    const { held, out, form, lost, onLine } = this.#options
    const { reader } = held.lease
    for (const { offset, bytes } of lost) await out.write(form.line(offset, bytes))
    for (;;) {
      const { bytes, isLast } = await this.#next()
      if (bytes.length > 0) {
        const offset = reader.offset - bytes.length
        onLine({ offset, bytes })
        await out.write(form.line(offset, bytes))
      }
      if (isLast) break
    }
    const how = reader.ending
    const last = form.end(reader.offset, { kind: 'end', how })
    if (last !== null) await out.write(last)
    // Bytes may be missing, and this form has no words for it.
    if (last === null && how === 'truncated') out.destroy(new Error('the stream was cut'))
    else out.finish()
  }

  /** A line with its end, or what is left at the end of the stream. An overlong one stays where it is. */
  async #next(): Promise<{ readonly bytes: Buffer; readonly isLast: boolean }> {
    const { held, limit, signal } = this.#options
    try {
      return { bytes: await held.lease.reader.readUntil('\n', { signal, limit }), isLast: false }
    } catch (error) {
      if (error instanceof IncompleteReadError) return { bytes: error.partial, isLast: true }
      throw error
    }
  }

  async #fail(error: unknown): Promise<void> {
    const { held, out, form } = this.#options
    const last = form.end(held.lease.reader.offset, { kind: 'failed', error })
    if (last === null) return void out.destroy(new Error('the lines of a lease were cut'))
    await out.write(last).catch(() => 'its client has gone meanwhile')
    out.finish()
  }
}
