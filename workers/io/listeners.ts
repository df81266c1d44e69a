/** The listeners of one I/O worker, by the number that the pool's thread gave them. */
import type { Socket } from 'node:net'
import { SockpoolError } from '../../src/base/errors.ts'
import type { NameResolver } from '../../src/egress/resolver.ts'
import type { FromIoWorker, ListenMessage } from '../../src/threads/protocol.ts'
import { Listener } from './listener.ts'

export class Listeners {
  readonly #resolver: NameResolver
  readonly #tell: (message: FromIoWorker) => void
  readonly #listeners = new Map<number, { readonly listener: Listener; readonly path: string }>()

  constructor(resolver: NameResolver, tell: (message: FromIoWorker) => void) {
    this.#resolver = resolver
    this.#tell = tell
  }

  async listen({ listener: number, spec }: ListenMessage): Promise<void> {
    const listener = new Listener({
      spec,
      announce: incoming => this.#tell({ kind: 'incoming', listener: number, incoming }),
      onFault: error =>
        this.#tell({ kind: 'mishandled', message: 'listen', error: SockpoolError.from(error).toJSON() }),
    })
    const path = spec.where.kind === 'unix' ? spec.where.path : ''
    this.#listeners.set(number, { listener, path })
    try {
      const addresses = await listener.open(this.#resolver)
      this.#tell({ kind: 'listening', listener: number, addresses })
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

  refuse(number: number, incoming: number): void {
    this.#listeners.get(number)?.listener.refuse(incoming)
  }

  /** Stops listening. Errors: the system's, where the file of a unix socket cannot be removed; nothing listens then. */
  unlisten(number: number): void {
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
