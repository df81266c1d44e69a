/**
 * The far ends of the load, in a process of their own: one answers each line with that line, at once or after a
 * moment; one takes what comes and says nothing; one sends half a message; one swallows every attempt to connect.
 */
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { isMainThread, parentPort, Worker } from 'node:worker_threads'

export type PeerPorts = {
  readonly echo: number
  readonly slow: number
  readonly sink: number
  readonly half: number
  readonly swallowing: number
}

/** Milliseconds of an answer that takes its time. */
const SLOW_MS = 20

async function listen(serve: (socket: Socket) => void): Promise<number> {
  const server: Server = createServer({ noDelay: true }, socket => {
    socket.on('error', () => {})
    serve(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  return typeof address === 'object' && address ? address.port : 0
}

const echo = (afterMs: number) => (socket: Socket) => {
  createInterface({ input: socket }).on('line', line => {
    if (afterMs === 0) socket.write(`${line}\n`)
    else setTimeout(() => socket.write(`${line}\n`), afterMs)
  })
}

/** A listener whose thread accepts nobody: once its queue is full, the kernel drops what comes. */
async function swallow(): Promise<number> {
  const thread = new Worker(new URL(import.meta.url))
  const [port] = (await once(thread, 'message')) as [number]
  for (let n = 0; n < 4; n++) connect({ host: '127.0.0.1', port }).on('error', () => {})
  return port
}

function acceptNobody(): void {
  const server = createServer()
  server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
    const address = server.address()
    parentPort?.postMessage(typeof address === 'object' && address ? address.port : 0)
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
  })
}

async function serve(): Promise<void> {
  const ports: PeerPorts = {
    echo: await listen(echo(0)),
    slow: await listen(echo(SLOW_MS)),
    sink: await listen(socket => socket.resume()),
    half: await listen(socket => {
      socket.resume()
      socket.write('[1,')
    }),
    swallowing: await swallow(),
  }
  process.on('disconnect', () => process.exit())
  process.send?.(ports)
}

if (isMainThread) await serve()
else acceptNobody()
