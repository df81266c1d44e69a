/** A real server on a free port of 127.0.0.1 that closes with its test, and fails it where a connection is left. */
import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { onTestFinished } from 'vitest'
import { watchLeaks } from './leak-watch.ts'
import { type TestCertificate, testCertificate } from './tls-certs.ts'

export type TestServerOptions = {
  /** Speaks TLS with this certificate; `true`: one for `localhost`. */
  readonly tls?: boolean | TestCertificate | undefined
  /** Leaves its direction open when the peer ends; default: ends it too. */
  readonly halfOpen?: boolean | undefined
  /** Closes what is left when the test ends, where the pool under test is not to blame for it. */
  readonly tolerant?: boolean | undefined
}

export class TestServer {
  readonly host = '127.0.0.1'
  readonly port: number
  /** The certificate's authority; empty on a plain server. */
  readonly ca: string
  readonly sockets: Set<Socket> = new Set()
  /** Connections accepted so far. */
  accepted = 0
  readonly #queue: Socket[] = []
  #wanted: ((socket: Socket) => void) | null = null

  constructor(port: number, ca: string) {
    this.port = port
    this.ca = ca
  }

  /** The next accepted connection that nobody has asked for yet. */
  async connection(): Promise<Socket> {
    const first = this.#queue.shift()
    if (first) return first
    return await new Promise(resolve => (this.#wanted = resolve))
  }

  admit(socket: Socket): void {
    this.accepted++
    this.sockets.add(socket)
    socket.on('close', () => this.sockets.delete(socket))
    // A peer may reset; what became of the connection is the test's to see.
    socket.on('error', () => {})
    if (this.#wanted === null) this.#queue.push(socket)
    else this.#wanted(socket)
    this.#wanted = null
  }
}

/** Starts a server; `serve` gets each connection. */
export async function startTestServer(
  serve: (socket: Socket, server: TestServer) => void,
  options: TestServerOptions = {},
): Promise<TestServer> {
  watchLeaks()
  const { tls, halfOpen = false } = options
  const certificate = tls ? (tls === true ? await testCertificate() : tls) : null
  const accept = (socket: Socket): void => {
    started.admit(socket)
    serve(socket, started)
  }
  const common = { allowHalfOpen: halfOpen, noDelay: true }
  const server: Server = certificate
    ? createTlsServer({ ...common, ...certificate }, accept)
    : createServer(common, accept)
  server.on('tlsClientError', (_error, socket: Socket) => socket.destroy())
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: '127.0.0.1', port: 0, backlog: 4_096 }, resolve)
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  const started = new TestServer(address.port, certificate?.cert ?? '')
  onTestFinished(() => closeServer(server, started, options.tolerant === true))
  return started
}

/** Echoes until its peer ends. */
export function echo(socket: Socket): void {
  socket.pipe(socket)
}

/** Nobody listens here: the port was free a moment ago. */
export async function refusingPort(): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise(resolve => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('the server had no port')
  return address.port
}

async function closeServer(server: Server, started: TestServer, tolerant: boolean): Promise<void> {
  const closed = new Promise(resolve => server.close(resolve))
  if (tolerant) for (const socket of started.sockets) socket.destroy()
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<'late'>(resolve => (timer = setTimeout(() => resolve('late'), 3_000)))
  const outcome = await Promise.race([closed, late])
  clearTimeout(timer)
  if (outcome !== 'late') return
  const left = started.sockets.size
  for (const socket of started.sockets) socket.destroy()
  throw new Error(`${left} connections were left open at the server`)
}
