/**
 * The body of an answer that goes on for as long as something comes: records are written to it, each when the client has
 * taken enough of those before. A client that takes nothing for a while is cut.
 */
import { Readable } from 'node:stream'
import { SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import { Wait } from '../../base/wait.ts'
import { BYTE_TURNS } from '../byte-turns.ts'

export class OutStream extends Readable {
  #room: Wait<void> | null = null

  constructor() {
    super({ highWaterMark: LIMITS.outStreamBytes })
  }

  override _read(): void {
    this.#room?.resolve()
    this.#room = null
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#room?.reject(gone(error))
    this.#room = null
    done(error)
  }

  /** Nothing waits to be sent. */
  get isIdle(): boolean {
    return this.readableLength === 0
  }

  /** Resolves when there is room for more. One at a time. Errors: ABORTED where the client has gone, or was cut. */
  async write(record: string | Buffer): Promise<void> {
    if (this.destroyed) throw gone(null)
    const bytes = typeof record === 'string' ? Buffer.from(record) : record
    if (!this.push(bytes)) await this.#waitForRoom()
    const turn = BYTE_TURNS.spent(bytes.length)
    if (turn !== null) await turn
  }

  /** Resolves when nothing waits to be sent. Errors: as `write`. */
  async passed(): Promise<void> {
    if (this.isIdle) return
    const timeoutMs = 2 * LIMITS.httpAnswerStallMs
    const passed = new Wait<void>('the client', 'DRAIN_TIMEOUT', { timeoutMs }, () => this.destroy())
    const look = (): void => {
      if (this.destroyed) passed.reject(gone(null))
      else if (this.isIdle) passed.resolve()
    }
    // Whoever takes the bytes listens before this does, so that the stream has let go of them by then.
    this.on('data', look).on('close', look)
    try {
      look()
      await passed.promise
    } catch (error) {
      throw gone(error)
    } finally {
      this.off('data', look).off('close', look)
    }
  }

  /** The answer is complete. */
  finish(): void {
    if (!this.destroyed) this.push(null)
  }

  #waitForRoom(): Promise<void> {
    const timeoutMs = 2 * LIMITS.httpAnswerStallMs
    const room = new Wait<void>('the client', 'DRAIN_TIMEOUT', { timeoutMs }, () => {
      this.#room = null
      this.destroy()
    })
    this.#room = room
    return room.promise.catch((error: unknown) => {
      throw gone(error)
    })
  }
}

function gone(cause: unknown): SockpoolError {
  return new SockpoolError('ABORTED', 'the client disconnected, or did not read', { cause })
}
