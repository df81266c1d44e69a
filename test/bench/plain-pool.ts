/**
 * The rival of row `exchange`: sockets on the main thread, pooled by generic-pool, behind the same HTTP app. It does
 * what an exchange must (one deadline, the caller's signal, nothing left over) and nothing else.
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { createPool, type Pool as GenericPool } from 'generic-pool'
import type { LeasingPort } from '../../src/http/ports.ts'
import type { ExchangeReply, ExchangeRequest } from '../../src/pool/lease/exchange.ts'

const NEWLINE = 0x0a

/** A pool of plain sockets that knows one target and reads replies of one line. */
export class PlainPool implements Pick<LeasingPort, 'exchange'> {
  /** It has no front doors; the app looks for their leases. */
  readonly forwards: object = {}
  readonly #pool: GenericPool<LineSocket>

  constructor(port: number, max: number) {
    this.#pool = createPool(
      {
        create: () => LineSocket.connect(port),
        destroy: async socket => socket.destroy(),
      },
      { max },
    )
  }

  async exchange(_target: unknown, request: ExchangeRequest): Promise<ExchangeReply> {
    const socket = await this.#pool.acquire()
    const { reused, offset } = socket
    try {
      const data = await socket.askLine(request)
      await this.#pool.release(socket)
      return { data, reused, offset, eof: false, ending: null }
    } catch (error) {
      await this.#pool.destroy(socket)
      throw error
    }
  }

  async close(): Promise<void> {
    await this.#pool.drain()
    await this.#pool.clear()
  }
}

type Waiting = { readonly resolve: (line: Buffer) => void; readonly reject: (error: Error) => void }

class LineSocket {
  readonly #socket: Socket
  #parts: Buffer[] = []
  #waiting: Waiting | null = null
  reused = false
  /** Bytes read so far. */
  offset = 0

  static async connect(port: number): Promise<LineSocket> {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true })
    await once(socket, 'connect')
    return new LineSocket(socket)
  }

  constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', chunk => this.#received(chunk))
    socket.on('error', error => this.#waiting?.reject(error))
    socket.on('close', () => this.#waiting?.reject(new Error('the connection is closed')))
  }

  async askLine({ write, timeoutMs, signal }: ExchangeRequest): Promise<Buffer> {
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
    this.#waiting = { resolve, reject }
    const timer = setTimeout(() => reject(new Error('no reply in time')), timeoutMs)
    const onAbort = (): void => reject(new Error('the caller is gone'))
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      this.#socket.write(write)
      return await promise
    } finally {
      this.#waiting = null
      this.reused = true
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
    }
  }

  destroy(): void {
    this.#socket.destroy()
  }

  #received(chunk: Buffer): void {
    const end = chunk.indexOf(NEWLINE)
    this.#parts.push(chunk)
    if (end === -1) return
    const whole = this.#parts.length === 1 ? chunk : Buffer.concat(this.#parts)
    const line = whole.subarray(0, whole.length - chunk.length + end + 1)
    this.#parts = end + 1 < chunk.length ? [chunk.subarray(end + 1)] : []
    this.offset += line.length
    this.#waiting?.resolve(line)
  }
}
