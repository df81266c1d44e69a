/** A `net` socket that asks and awaits as many bytes as it asked with. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

export class PlainClient {
  readonly #socket: Socket
  #chunks: Buffer[] = []
  #received = 0
  #awaited = 0
  #resolve: (reply: Buffer) => void = () => {}

  static async connect(port: number): Promise<PlainClient> {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true })
    await once(socket, 'connect')
    return new PlainClient(socket)
  }

  constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', chunk => {
      this.#received += chunk.length
      if (chunk.length < this.#awaited) this.#chunks.push(chunk)
      if (this.#received < this.#awaited) return
      const reply = this.#chunks.length === 0 ? chunk : Buffer.concat(this.#chunks)
      this.#chunks = []
      this.#received = 0
      this.#resolve(reply)
    })
  }

  ask(message: Buffer): Promise<Buffer> {
    return new Promise(resolve => {
      this.#resolve = resolve
      this.#awaited = message.length
      this.#socket.write(message)
    })
  }

  destroy(): void {
    this.#socket.destroy()
  }
}
