/**
 * The upstream of a fleet, a process of its own: it echoes what it gets at a port for each instance, and counts its open connections
 * exactly. It ends with whoever started it.
 */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'

/** What it was asked to be, as its one argument. */
export type UpstreamSpec = { readonly ports: number }

/** How many connections were open, by port, from this instant on. */
export type OpenCounts = {
  /** Milliseconds since 1970, as all processes of this machine count them. */
  readonly atMs: number
  readonly total: number
  readonly byPort: readonly number[]
}

export type UpstreamWord =
  | { readonly kind: 'listening'; readonly ports: readonly number[] }
  | { readonly kind: 'seen'; readonly rows: readonly OpenCounts[] }
  | { readonly kind: 'report'; readonly now: OpenCounts; readonly accepted: number }

/** Milliseconds between two words about what has changed. */
const TELL_MS = 50

class Tally {
  readonly #byPort: number[]
  #accepted = 0
  #rows: OpenCounts[] = []
  #isDue = false

  constructor(ports: number) {
    this.#byPort = Array.from({ length: ports }, () => 0)
  }

  get accepted(): number {
    return this.#accepted
  }

  /** Counts it from now until its peer has closed it, by whichever sign of that comes first. */
  hold(port: number, socket: Socket): void {
    this.#accepted++
    this.#change(port, 1)
    let isOpen = true
    const gone = (): void => {
      if (isOpen) this.#change(port, -1)
      isOpen = false
    }
    for (const sign of ['end', 'error', 'close']) socket.once(sign, gone)
  }

  /** What has changed since it was asked last. */
  take(): readonly OpenCounts[] {
    const rows = this.#rows
    this.#rows = []
    return rows
  }

  now(): OpenCounts {
    const byPort = [...this.#byPort]
    return { atMs: Date.now(), total: byPort.reduce((sum, count) => sum + count, 0), byPort }
  }

  #change(port: number, by: number): void {
    this.#byPort[port] = (this.#byPort[port] ?? 0) + by
    if (this.#isDue) return
    this.#isDue = true
    // One turn hears of an end and of what was opened after it in any order, so only what stands at its end was ever so.
    setImmediate(() => {
      this.#isDue = false
      this.#rows.push(this.now())
    })
  }
}

async function serve({ ports: count }: UpstreamSpec): Promise<void> {
  const tally = new Tally(count)
  const ports: number[] = []
  for (let index = 0; index < count; index++) {
    const server = createServer({ noDelay: true }, socket => {
      tally.hold(index, socket)
      // A connection that breaks is one that is gone.
      socket.on('error', () => socket.destroy())
      socket.pipe(socket)
    })
    server.listen({ port: 0, host: '127.0.0.1', backlog: 1_024 })
    await once(server, 'listening')
    ports.push((server.address() as AddressInfo).port)
  }
  const tell = (word: UpstreamWord): void => void process.send?.(word)
  const tellSeen = (): void => {
    const rows = tally.take()
    if (rows.length > 0) tell({ kind: 'seen', rows })
  }
  setInterval(tellSeen, TELL_MS)
  process.on('message', () => {
    tellSeen()
    tell({ kind: 'report', now: tally.now(), accepted: tally.accepted })
  })
  tell({ kind: 'listening', ports })
}

process.on('disconnect', () => process.exit(0))
// It counts until the very end: who is interrupted goes away by itself, and this one with it.
process.on('SIGINT', () => {})
await serve(JSON.parse(process.argv[2] ?? '') as UpstreamSpec)
