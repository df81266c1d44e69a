/** A Redis of the play's own, which is stopped and started again at one place, and a connection by which it is operated. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

export const REDIS_COMMAND = 'redis-server'

/** Another address than clients come from, so that no dial meets itself while nobody listens. */
const HOST = process.platform === 'linux' ? '127.0.0.2' : '127.0.0.1'
/** Milliseconds that it has to accept, and between two looks. */
const START_MS = 15_000
const LOOK_MS = 10

export class RedisServer {
  readonly host: string = HOST
  readonly port: number
  readonly #password: string
  readonly #begun: (child: ChildProcess) => void
  #process: ChildProcess | null = null

  private constructor(port: number, password: string, begun: (child: ChildProcess) => void) {
    this.port = port
    this.#password = password
    this.#begun = begun
  }

  /** `begun`: hears of each process that it is, at once. */
  static async start(
    password: string,
    begun: (child: ChildProcess) => void = () => {},
  ): Promise<RedisServer> {
    const server = new RedisServer(await freePort(), password, begun)
    await server.start()
    return server
  }

  async start(): Promise<void> {
    const { host, port } = this
    const args = ['--port', `${port}`, '--bind', host, '--save', '', '--requirepass', this.#password]
    const child = spawn(REDIS_COMMAND, args, { stdio: 'ignore', cwd: '/' })
    this.#process = child
    this.#begun(child)
    for (const untilMs = performance.now() + START_MS; ; await sleep(LOOK_MS)) {
      const socket = await this.#connected()
      socket?.destroy()
      if (socket !== null) return
      if (child.exitCode !== null || performance.now() > untilMs) throw new Error('Redis did not start')
    }
  }

  /** Stops its clockwork, and lets it go on. */
  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    this.#process?.kill(name)
  }

  /** `SIGTERM` has it end in order; `SIGKILL` leaves it no time. */
  async stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const child = this.#process
    this.#process = null
    if (child === null || child.exitCode !== null) return
    const exited = once(child, 'exit')
    child.kill(signal)
    await exited
  }

  async operator(): Promise<RedisOperator> {
    const socket = await this.#connected()
    if (socket === null) throw new Error('Redis does not accept')
    const operator = new RedisOperator(socket)
    await operator.ask(`AUTH ${this.#password}`)
    return operator
  }

  async #connected(): Promise<Socket | null> {
    const { host, port } = this
    const socket = connect({ host, port })
    return await once(socket, 'connect').then(
      () => socket,
      () => null,
    )
  }
}

export class RedisOperator {
  readonly #socket: Socket
  #received = ''

  constructor(socket: Socket) {
    this.#socket = socket
    socket.setEncoding('latin1')
    socket.on('error', () => {})
    socket.on('data', (text: string) => {
      this.#received += text
      socket.emit('reply')
    })
  }

  /** Ends the connection that comes from this port; false where there is none. */
  async kill(port: number): Promise<boolean> {
    const [, id] = new RegExp(`^id=(\\d+) addr=\\S+:${port} `, 'm').exec(await this.ask('CLIENT LIST')) ?? []
    return id !== undefined && (await this.ask(`CLIENT KILL ID ${id}`)) === '1'
  }

  close(): void {
    this.#socket.destroy()
  }

  /** The text of the answer. Errors: an answer that is one. */
  async ask(command: string): Promise<string> {
    this.#socket.write(`${command}\r\n`)
    for (;;) {
      const [head, kind, text = ''] = /^([-+:$])(.*)\r\n/.exec(this.#received) ?? []
      if (head !== undefined) {
        const length = kind === '$' ? Number(text) + 2 : 0
        if (this.#received.length >= head.length + length) {
          const body = this.#received.slice(head.length, head.length + length - 2)
          this.#received = this.#received.slice(head.length + length)
          if (kind === '-') throw new Error(text)
          return kind === '$' ? body : text
        }
      }
      await once(this.#socket, 'reply')
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, HOST)
  await once(server, 'listening')
  const address = server.address()
  server.close()
  if (address === null || typeof address === 'string') throw new Error('there is no port')
  return address.port
}
