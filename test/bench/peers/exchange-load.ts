/**
 * Callers over HTTP where there is no wrk, in a process of their own: so many keep-alive connections, one request at a time on
 * each. It writes ready-made requests and looks at no more of an answer than its status and its length, because what
 * a caller costs is taken from all contenders alike.
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** What this process is asked: requests to this port for so long. Its answer is how many were answered. */
export type LoadOrder = {
  readonly port: number
  readonly callers: number
  readonly forMs: number
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | null
}
export type LoadResult = { readonly count: number; readonly elapsedMs: number }

class Caller {
  readonly #port: number
  readonly #request: Buffer
  #socket: Socket | null = null
  #head = ''
  #onData: () => void = () => {}
  #chunk = ''

  constructor({ port, method, path, headers, body }: LoadOrder) {
    this.#port = port
    const lines = [
      `${method} ${path} HTTP/1.1`,
      `Host: 127.0.0.1:${port}`,
      ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
      ...(body === null ? [] : [`Content-Length: ${Buffer.byteLength(body)}`]),
    ]
    this.#request = Buffer.from(`${lines.join('\r\n')}\r\n\r\n${body ?? ''}`)
  }

  async ask(): Promise<void> {
    const socket = this.#socket ?? (await this.#connect())
    this.#head = ''
    socket.write(this.#request)
    const { status, mustClose } = await this.#answer()
    if (status !== 200) throw new Error(`the service answered ${this.#head}`)
    if (mustClose) this.close()
  }

  close(): void {
    this.#socket?.destroy()
    this.#socket = null
  }

  async #connect(): Promise<Socket> {
    const socket = connect({ host: '127.0.0.1', port: this.#port, noDelay: true })
    await once(socket, 'connect')
    socket.setEncoding('latin1')
    socket.on('data', (chunk: string) => {
      this.#chunk = chunk
      this.#onData()
    })
    this.#socket = socket
    return socket
  }

  #answer(): Promise<{ readonly status: number; readonly mustClose: boolean }> {
    return new Promise(resolve => {
      this.#onData = () => {
        this.#head += this.#chunk
        const end = this.#head.indexOf('\r\n\r\n')
        if (end === -1) return
        const length = Number(/\r\ncontent-length: *(\d+)/i.exec(this.#head)?.[1])
        if (this.#head.length < end + 4 + length) return
        const status = Number(this.#head.slice(9, 12))
        resolve({ status, mustClose: /\r\nconnection: *close/i.test(this.#head) })
      }
    })
  }
}

async function load(order: LoadOrder): Promise<LoadResult> {
  const startMs = performance.now()
  const endMs = startMs + order.forMs
  let count = 0
  const loop = async (): Promise<void> => {
    const caller = new Caller(order)
    for (; performance.now() < endMs; count++) await caller.ask()
    caller.close()
  }
  await Promise.all(Array.from({ length: order.callers }, loop))
  return { count, elapsedMs: performance.now() - startMs }
}

process.on('message', (order: LoadOrder) => {
  load(order).then(
    result => process.send?.(result),
    error => {
      process.stderr.write(`${error}\n`)
      process.exit(1)
    },
  )
})
process.on('disconnect', () => process.exit())
process.send?.('ready')
