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
    const listener = new Listener(spec, incoming =>
      this.#tell({ kind: 'incoming', listener: number, incoming }),
    )
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

  unlisten(number: number): void {
    this.#listeners.get(number)?.listener.close()
    this.#listeners.delete(number)
    this.#tell({ kind: 'unlistened', listener: number, error: null })
  }

  closeAll(): void {
    for (const { listener } of this.#listeners.values()) listener.close()
    this.#listeners.clear()
  }
}
