/** The listeners of one I/O worker, by the number that the pool's thread gave them. */
import type { Socket } from 'node:net'
import { SockpoolError } from '../../src/base/errors.ts'
import type { NameResolver } from '../../src/egress/resolver.ts'
import type { FromIoWorker, ListenMessage, UnlistenMessage } from '../../src/threads/protocol.ts'
import { Listener } from './listener.ts'
import { socketFacts } from './socket-facts.ts'
import { type HandedClient, WaitingClient } from './splice/waiting-client.ts'

type ListenerEntry = {
  readonly listener: Listener
  /** Of a unix socket; else empty. */
  readonly path: string
  /** Of a watched listener: who was announced and has not been taken. */
  readonly clients: Map<number, WaitingClient>
}

export class Listeners {
  readonly #resolver: NameResolver
  readonly #tell: (message: FromIoWorker) => void
  readonly #listeners = new Map<number, ListenerEntry>()

  constructor(resolver: NameResolver, tell: (message: FromIoWorker) => void) {
    this.#resolver = resolver
    this.#tell = tell
  }

  async listen({ listener: number, spec }: ListenMessage): Promise<void> {
    const clients: ListenerEntry['clients'] = new Map()
    const path = spec.where.kind === 'unix' ? spec.where.path : ''
    const watch = (incoming: number, socket: Socket): void => {
      const client = new WaitingClient(socket, how => {
        if (how === 'gone') clients.delete(incoming)
        this.#tell({ kind: 'departed', listener: number, incoming, how })
      })
      clients.set(incoming, client)
      const { tls: _, ...from } = socketFacts(socket, { local: path })
      this.#tell({ kind: 'incoming', listener: number, incoming, from })
    }
    const announce = (incoming: number): void => this.#tell({ kind: 'incoming', listener: number, incoming })
    const listener = new Listener({
      spec,
      announce: spec.isWatched === true ? watch : announce,
      onFault: error =>
        this.#tell({ kind: 'mishandled', message: 'listen', error: SockpoolError.from(error).toJSON() }),
    })
    this.#listeners.set(number, { listener, path, clients })
    try {
      const bound = await listener.open(this.#resolver)
      this.#tell({ kind: 'listening', listener: number, ...bound })
    } catch (error) {
      this.#listeners.delete(number)
      const fields = SockpoolError.from(error, 'LISTEN_FAILED').toJSON()
      this.#tell({ kind: 'unlistened', listener: number, error: fields })
    }
  }

  serve(number: number): void {
    this.#listeners.get(number)?.listener.serve()
  }

  /** An announced connection and the path it came in by; undefined where it is gone. */
  take(number: number, incoming: number): { readonly socket: Socket; readonly path: string } | undefined {
    const found = this.#listeners.get(number)
    const socket = found?.listener.take(incoming)
    return found && socket && { socket, path: found.path }
  }

  /** An announced client of a watched listener, to be joined; undefined where it is gone. */
  takeClient(number: number, incoming: number): HandedClient | undefined {
    const found = this.#listeners.get(number)
    const client = found?.clients.get(incoming)
    found?.clients.delete(incoming)
    return found?.listener.take(incoming) && client?.take()
  }

  refuse(number: number, incoming: number): void {
    this.#listeners.get(number)?.clients.delete(incoming)
    this.#listeners.get(number)?.listener.refuse(incoming)
  }

  /**
   * Stops listening; `isOrderly`: once all who have come are served. Errors: the system's, where the file of a unix socket
   * cannot be removed; nothing listens then.
   */
  async unlisten({ listener: number, isOrderly }: UnlistenMessage): Promise<void> {
    if (isOrderly) await this.#listeners.get(number)?.listener.leave()
    // It was told to stop at once meanwhile.
    if (!this.#listeners.has(number)) return
    this.tellDropped()
    const found = this.#listeners.get(number)
    this.#listeners.delete(number)
    found?.listener.close()
    this.#tell({ kind: 'unlistened', listener: number, error: null })
  }

  /** Says how many clients each listener has dropped since the last time. */
  tellDropped(): void {
    for (const [number, { listener }] of this.#listeners) {
      const clients = listener.takeDropped()
      if (clients > 0) this.#tell({ kind: 'dropped', listener: number, clients })
    }
  }

  /** Stops all. Errors: that of the first that could not remove its file; nothing listens then. */
  closeAll(): void {
    const all = [...this.#listeners.values()]
    this.#listeners.clear()
    const errors: unknown[] = []
    for (const { listener } of all) {
      try {
        listener.close()
      } catch (error) {
        errors.push(error)
      }
    }
    if (errors.length > 0) throw errors[0]
  }
}
