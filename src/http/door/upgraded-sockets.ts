/**
 * The connections that have left HTTP. Neither Node nor Fastify counts them any more: what they are told of the service's
 * end they are told from here, and what does not end by itself is cut.
 */
import type { Duplex } from 'node:stream'
import { LIMITS } from '../../base/limits.ts'

export class UpgradedSockets {
  /** With what each is to do when the service begins to drain. */
  readonly #open = new Map<Duplex, (() => void)[]>()
  #isDraining = false
  #cut: NodeJS.Timeout | null = null

  /** Keeps a socket until it is closed. */
  add(socket: Duplex): void {
    if (socket.destroyed || this.#open.has(socket)) return
    this.#open.set(socket, [])
    socket.once('close', () => {
      this.#open.delete(socket)
      if (this.#open.size === 0) this.#forgetCut()
    })
  }

  /** Calls `drain` once, when the service begins to drain; never where it had begun before. */
  whenDraining(socket: Duplex, drain: () => void): void {
    if (!this.#isDraining) this.#open.get(socket)?.push(drain)
  }

  /** The service takes nothing new from now on. Safe to call twice. */
  drain(): void {
    if (this.#isDraining) return
    this.#isDraining = true
    for (const calls of this.#open.values()) for (const call of calls.splice(0)) call()
  }

  /** Nothing is left to wait for: what still says goodbye has a moment for it. */
  close(): void {
    this.drain()
    if (this.#open.size > 0) this.#cut ??= setTimeout(() => this.#destroyAll(), LIMITS.httpCloseMs)
  }

  stats(): { readonly open: number } {
    return { open: this.#open.size }
  }

  #destroyAll(): void {
    for (const socket of this.#open.keys()) socket.destroy()
  }

  #forgetCut(): void {
    if (this.#cut) clearTimeout(this.#cut)
    this.#cut = null
  }
}
