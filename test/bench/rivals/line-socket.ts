/** A `net` or `tls` socket that asks with a line and awaits a line. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

const NEWLINE = 0x0a

/** Where to dial. `ca` where TLS is spoken. */
export type Place = { readonly port: number; readonly ca: string | null }

export class LineSocket {
  readonly #socket: Socket
  #parts: Buffer[] = []
  #resolve: ((line: Buffer) => void) | null = null
  #reject: ((error: Error) => void) | null = null
  /** Bytes read so far. */
  offset = 0
  uses = 0

  static async connect({ port, ca }: Place): Promise<LineSocket> {
    const host = '127.0.0.1'
    if (ca === null) {
      const socket = connect({ host, port, noDelay: true })
      await once(socket, 'connect')
      return new LineSocket(socket)
    }
    const socket = connectTls({ host, port, ca, servername: 'localhost' })
    await once(socket, 'secureConnect')
    return new LineSocket(socket)
  }

  constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', chunk => this.#received(chunk))
    socket.on('error', error => this.#reject?.(error))
    socket.on('close', () => this.#reject?.(new Error('the connection is closed')))
  }

  get isAlive(): boolean {
    return !this.#socket.destroyed && this.#socket.readable
  }

  ask(text: string, timeoutMs: number): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#socket.destroy(new Error('no reply in time')), timeoutMs)
      this.#resolve = line => {
        clearTimeout(timer)
        resolve(line)
      }
      this.#reject = error => {
        clearTimeout(timer)
        reject(error)
      }
      this.uses += 1
      this.#socket.write(text)
    })
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
    this.#resolve?.(line)
  }
}
