/**
 * A peer in a thread of its own that echoes lines on several ports, and counts. It may greet: then the first line of each
 * connection is answered a while later, so that the connections that are being made are to be seen. It goes down and
 * comes up again as it is told.
 */
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { servePeers } from './peer-thread.ts'

export type LinePeerSpec = {
  readonly host: string
  /** How many ports. */
  readonly ports: number
  /** Milliseconds until a line is answered. */
  readonly answerMs: number
  /** What a greeting answers whatever line comes first with, and after how many milliseconds; null where nobody is greeted. */
  readonly greeting: { readonly welcome: string; readonly ms: number } | null
}

/**
 * `down`: nobody listens, and all connections are cut. `hang`: all are cut, and whoever comes is not answered until `up`. `begin`
 * has the counts begin anew.
 */
export type LinePeerOrder =
  | { readonly kind: 'down' | 'up' | 'begin' | 'counts' }
  | { readonly kind: 'hang'; readonly gate: SharedArrayBuffer }

/** Of one port. `greeting`: connections that were being greeted at once; `early`: that came before the first was greeted. */
export type PeerCounts = {
  readonly accepted: number
  readonly open: number
  readonly lines: number
  readonly greetingMost: number
  readonly early: number
}

type Counts = Record<'accepted' | 'lines' | 'greeting' | 'greetingMost' | 'greeted' | 'early', number>

function zero(): Counts {
  return { accepted: 0, lines: 0, greeting: 0, greetingMost: 0, greeted: 0, early: 0 }
}

class LinePeer {
  readonly #spec: LinePeerSpec
  readonly #sockets = new Set<Socket>()
  #server: Server | null = null
  #port = 0
  #counts = zero()

  constructor(spec: LinePeerSpec) {
    this.#spec = spec
  }

  get counts(): PeerCounts {
    const { accepted, lines, greetingMost, early } = this.#counts
    return { accepted, lines, greetingMost, early, open: this.#sockets.size }
  }

  begin(): void {
    this.#counts = zero()
  }

  async up(): Promise<number> {
    const server = createServer({ noDelay: true }, socket => this.#serve(socket))
    server.listen({ port: this.#port, host: this.#spec.host, backlog: 4_096 })
    await once(server, 'listening')
    const address = server.address()
    if (typeof address === 'object' && address !== null) this.#port = address.port
    this.#server = server
    return this.#port
  }

  async down(): Promise<void> {
    const server = this.#server
    if (server === null) return
    this.#server = null
    const closed = once(server, 'close')
    server.close()
    this.cut()
    await closed
  }

  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }

  #serve(socket: Socket): void {
    const { greeting, answerMs } = this.#spec
    const counts = this.#counts
    counts.accepted++
    if (counts.greeted === 0) counts.early++
    this.#sockets.add(socket)
    let isGreeted = greeting === null
    let rest = ''
    socket.setEncoding('latin1')
    socket.on('error', () => {})
    socket.once('close', () => this.#sockets.delete(socket))
    if (greeting !== null) this.#greeting(socket, counts)
    socket.on('data', (text: string) => {
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) {
        if (!isGreeted && greeting !== null) {
          isGreeted = true
          void this.#say(socket, greeting.welcome, greeting.ms).then(() => socket.emit('greeted'))
        } else {
          counts.lines++
          void this.#say(socket, `${line}\n`, answerMs)
        }
      }
    })
  }

  /** Until it is greeted, or gone. */
  #greeting(socket: Socket, counts: Counts): void {
    counts.greeting++
    counts.greetingMost = Math.max(counts.greetingMost, counts.greeting)
    let isOver = false
    const over = (): void => {
      if (!isOver) counts.greeting--
      isOver = true
    }
    socket.once('close', over)
    socket.once('greeted', () => {
      over()
      counts.greeted++
    })
  }

  async #say(socket: Socket, text: string, afterMs: number): Promise<void> {
    if (afterMs > 0) await sleep(afterMs)
    if (socket.writable) socket.write(text)
  }
}

servePeers(async (spec: LinePeerSpec) => {
  const peers = Array.from({ length: spec.ports }, () => new LinePeer(spec))
  const ports: number[] = []
  for (const peer of peers) ports.push(await peer.up())
  return {
    said: ports,
    answer: async (order: LinePeerOrder) => {
      switch (order.kind) {
        case 'down':
          for (const peer of peers) await peer.down()
          break
        case 'up':
          for (const peer of peers) await peer.up()
          break
        case 'begin':
          for (const peer of peers) peer.begin()
          break
        case 'hang':
          for (const peer of peers) peer.cut()
          // What was cut is seen to be gone before this thread stands still.
          setImmediate(() => setImmediate(() => Atomics.wait(new Int32Array(order.gate), 0, 0)))
          break
        case 'counts':
          break
        default:
          order satisfies never
      }
      return peers.map(peer => peer.counts)
    },
  }
})
