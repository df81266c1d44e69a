/**
 * One lease over one connection that has left HTTP: bytes as they are, in both directions. For the lease it is one
 * operation and one read, as long as it is open.
 *
 *   open ──both directions have ended──► closed        each end is passed on behind the last byte before it
 *     └────the client goes, the lease ends, either breaks, half of it is silent for too long──► cut: no end that could be
 *                                                                                              taken for an orderly one
 *
 * Its connection serves nobody after it: whose an answer is that comes late, nobody could tell.
 */
import type { Duplex } from 'node:stream'
import { breakOff } from '../../base/break-off.ts'
import { SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import { BYTE_TURNS } from '../byte-turns.ts'
import type { LeftHttp } from '../door/upgrades.ts'
import type { CallerLease } from '../leases/caller-lease.ts'
import { endWriting, writeAll } from '../leases/counted-write.ts'

export type LeaseTunnelOptions = {
  readonly held: CallerLease
  readonly left: LeftHttp
  /** The answer that is the last of HTTP. */
  readonly answer: string
  /** Milliseconds of silence after which a tunnel of which one side has ended is cut; default: LIMITS.spliceHalfOpenMs. */
  readonly halfOpenMs?: number | undefined
}

export class LeaseTunnel {
  readonly #options: LeaseTunnelOptions
  readonly #stop = new AbortController()
  #silence: NodeJS.Timeout | null = null
  #hasTargetEnded = false

  constructor(options: LeaseTunnelOptions) {
    this.#options = options
  }

  /** Resolves when the lease is given back and the client has its end. It never rejects. */
  async run(): Promise<void> {
    const { held, left, answer } = this.#options
    const { socket } = left
    const cut = (what: string): void => this.#stop.abort(new SockpoolError('ABORTED', what))
    const onClose = (): void => {
      // Closed behind both ends: what it has sent last is still being passed on.
      if (!(socket.readableEnded && socket.writableFinished)) cut('the client disconnected')
    }
    socket.once('close', onClose)
    held.whenEnded(reason => cut(`the lease has ended: ${reason}`))
    try {
      socket.write(answer)
      await held.read('tunnel', () => this.#pass())
      socket.off('close', onClose)
      await held.release()
    } catch {
      // Whatever it was, both sides hear of it by the way in which they end.
      if (held.lease.gone === null) {
        held.lease.writer.abort({ reset: true })
        await held.lease.discard()
      }
      breakOff(socket)
    } finally {
      if (this.#silence !== null) clearTimeout(this.#silence)
    }
  }

  /** Errors: the first that either direction meets; the other is over then. */
  async #pass(): Promise<void> {
    const guarded = async (direction: Promise<void>): Promise<void> => {
      try {
        await direction
        this.#watchSilence()
      } catch (error) {
        this.#stop.abort(error)
        throw error
      }
    }
    await Promise.all([guarded(this.#toClient()), guarded(this.#fromClient())])
  }

  async #toClient(): Promise<void> {
    const { socket } = this.#options.left
    const { reader } = this.#options.held.lease
    const { signal } = this.#stop
    for (;;) {
      const bytes = await reader.read(LIMITS.tunnelReadBytes, { signal, timeoutMs: Number.POSITIVE_INFINITY })
      if (bytes.length === 0) break
      if (!socket.write(bytes)) await drained(socket, signal)
      const turn = BYTE_TURNS.spent(bytes.length)
      if (turn !== null) await turn
    }
    if (reader.ending === 'truncated')
      throw new SockpoolError('CONNECTION_RESET', 'TLS did not vouch for the end')
    this.#hasTargetEnded = true
    socket.end()
  }

  async #fromClient(): Promise<void> {
    const { socket, head } = this.#options.left
    const { writer } = this.#options.held.lease
    const { signal } = this.#stop
    const wait = { signal, timeoutMs: Number.POSITIVE_INFINITY }
    if (head.length > 0) await writeAll(writer, [head], wait)
    for await (const bytes of chunksOf(socket, signal)) {
      // TLS has no half-close: what the client still sends, nobody takes.
      if (this.#hasTargetEnded && !writer.canWriteEof()) continue
      await writeAll(writer, [bytes], wait)
      await writer.drain(wait)
      const turn = BYTE_TURNS.spent(bytes.length)
      if (turn !== null) await turn
    }
    if (writer.canWriteEof()) endWriting(writer)
  }

  #watchSilence(): void {
    const { lease } = this.#options.held
    const { halfOpenMs = LIMITS.spliceHalfOpenMs } = this.#options
    if (this.#silence !== null) return
    const moved = lease.reader.offset + lease.writer.offset
    // Over TLS the target does not hear that its client has ended.
    const waitMs = lease.writer.canWriteEof() ? halfOpenMs : Math.min(halfOpenMs, LIMITS.tunnelTlsEndMs)
    const look = (): void => {
      this.#silence = null
      if (moved !== lease.reader.offset + lease.writer.offset) this.#watchSilence()
      else
        this.#stop.abort(new SockpoolError('READ_TIMEOUT', 'the half-ended tunnel was silent for too long'))
    }
    this.#silence = setTimeout(look, waitMs).unref()
  }
}

/** The chunks of a socket to its end. Errors: the signal's; ABORTED where it closes without an end. */
async function* chunksOf(socket: Duplex, signal: AbortSignal): AsyncGenerator<Buffer, void, undefined> {
  for (;;) {
    if (signal.aborted) throw signal.reason
    const chunk = socket.read() as Buffer | null
    if (chunk !== null) yield chunk
    else if (socket.readableEnded) return
    else if (socket.destroyed) throw new SockpoolError('ABORTED', 'the client disconnected')
    else await once(socket, ['readable', 'end', 'close'], signal)
  }
}

function drained(socket: Duplex, signal: AbortSignal): Promise<void> {
  return once(socket, ['drain', 'close'], signal)
}

/** The first of these events. Errors: the signal's. */
function once(socket: Duplex, events: readonly string[], signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const onAbort = (): void => reject(signal.reason)
  const done = (): void => resolve()
  signal.addEventListener('abort', onAbort, { once: true })
  for (const event of events) socket.once(event, done)
  if (signal.aborted) onAbort()
  return promise.finally(() => {
    signal.removeEventListener('abort', onAbort)
    for (const event of events) socket.off(event, done)
  })
}
