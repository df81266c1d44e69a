/** A service with forwards, and clients of theirs. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import { type Api, jsonOf } from './api.ts'
import { type ServiceFixture, startServiceFixture } from './service-fixture.ts'

export type ForwardRow = {
  readonly listen: string
  readonly target: string
  readonly state: string
  readonly clients: number
  readonly waiting: number
  readonly accepted: number
  readonly served: Readonly<Record<string, number>>
  readonly refused: Readonly<Record<string, number>>
  readonly bytesIn: number
  readonly bytesOut: number
}

export type ForwardedService = ServiceFixture & {
  /** Where the forward listens that stands at this place in the config. */
  place(index?: number): Promise<{ readonly host: string; readonly port: number }>
}

/** The service, with its forwards on free ports unless they say otherwise. */
export async function startForwards(
  config: Readonly<Record<string, unknown>>,
  options: {
    readonly files?: Readonly<Record<string, string>>
    readonly finally?: (undo: () => Promise<void>) => void
  } = {},
): Promise<ForwardedService> {
  const { files = {} } = options
  const service = await startServiceFixture({
    config: { limits: { drainTimeout: 0 }, ...config },
    files,
    finally: options.finally ?? onTestFinished,
  })
  return Object.assign(service, {
    place: async (index = 0) => {
      const rows = await forwardsOf(service.api)
      const [host = '', port = ''] = (rows[index]?.listen ?? '').split(/:(?=\d+$)/)
      return { host, port: Number(port) }
    },
  })
}

export async function forwardsOf(api: Api): Promise<readonly ForwardRow[]> {
  return jsonOf(await api.get('/v1/forwards'))['forwards'] as ForwardRow[]
}

/** The one forward, once `holds` is true of it. */
export async function forwardOnce(api: Api, holds: (row: ForwardRow) => boolean): Promise<ForwardRow> {
  const deadline = performance.now() + 10_000
  for (;;) {
    const [row] = await forwardsOf(api)
    if (row !== undefined && holds(row)) return row
    if (performance.now() > deadline) throw new Error(`it is ${JSON.stringify(row)} for too long`)
  }
}

/** A client of a forward, which keeps what it receives. */
export class Visitor {
  readonly socket: Socket
  readonly closed: Promise<unknown>
  error: (Error & { code?: string }) | null = null
  text = ''
  bytes = 0
  hasEnded = false

  private constructor(socket: Socket) {
    this.socket = socket
    this.closed = new Promise(resolve => socket.once('close', resolve))
    socket.on('error', (error: Error) => {
      this.error = error
    })
    socket.on('data', (bytes: Buffer) => {
      this.bytes += bytes.length
      if (this.text.length < 1_000_000) this.text += bytes.toString('latin1')
      socket.emit('heard')
    })
    socket.on('end', () => {
      this.hasEnded = true
      socket.emit('heard')
    })
    socket.on('close', () => socket.emit('heard'))
  }

  /** Connected, and ends only when it says so. */
  static async at(
    where: { readonly host: string; readonly port: number } | { readonly path: string },
  ): Promise<Visitor> {
    const socket = connect({ ...where, allowHalfOpen: true } as never)
    onTestFinished(() => void socket.destroy())
    const visitor = new Visitor(socket)
    await once(socket, 'connect')
    return visitor
  }

  /** As `at`, over a socket that is connected already. */
  static of(socket: Socket): Visitor {
    onTestFinished(() => void socket.destroy())
    return new Visitor(socket)
  }

  write(data: string | Uint8Array): void {
    this.socket.write(data)
  }

  /** Resolves when it has received this text in all. */
  async received(text: string): Promise<void> {
    while (this.text !== text) {
      if (this.socket.destroyed || this.hasEnded)
        throw new Error(`ended with ${JSON.stringify(this.text.slice(-200))}`)
      await once(this.socket, 'heard')
    }
  }

  async ended(): Promise<void> {
    // An error is one way to end, and is there to be asked for.
    while (!this.hasEnded && !this.socket.destroyed) await once(this.socket, 'heard').catch(() => {})
  }
}
