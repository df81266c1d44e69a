/**
 * Connections that start TLS on the way. First the connection is hushed, so that the pool's thread can say what the
 * bytes that came before mean; then the socket is wrapped. There is no way back: one that fails is destroyed.
 */
import type { Socket } from 'node:net'
import { SockpoolError } from '../../src/base/errors.ts'
import type { FromIoWorker, HushMessage, SecureMessage, SocketFacts } from '../../src/threads/protocol.ts'
import type { Connection } from './connection.ts'
import { secureAsClient } from './tls-client.ts'
import { secureAsServer } from './tls-server.ts'

/** What is asked of the thread's other parts. */
export type UpgradeParts = {
  readonly find: (channel: number, generation: number) => Connection | undefined
  /** The host that the connection was dialled by: what a certificate must show by default. */
  readonly hostOf: (connection: Connection) => string
  readonly factsOf: (connection: Connection, socket: Socket) => SocketFacts
  readonly tell: (message: FromIoWorker) => void
}

export class Upgrades {
  readonly #parts: UpgradeParts
  readonly #hushed = new WeakMap<Connection, { readonly socket: Socket; readonly spill: Buffer }>()

  constructor(parts: UpgradeParts) {
    this.#parts = parts
  }

  hush({ channel, generation }: HushMessage): void {
    const { find, tell } = this.#parts
    const connection = find(channel, generation)
    const hushed = connection?.hush() ?? null
    if (connection === undefined || hushed === null) {
      const error = new SockpoolError('CONNECTION_RESET', 'the connection ended before TLS could start')
      tell({ kind: 'unsecured', channel, generation, error: error.toJSON() })
      return
    }
    this.#hushed.set(connection, hushed)
    tell({ kind: 'hushed', channel, generation, bytes: hushed.spill })
  }

  async secure(message: SecureMessage): Promise<void> {
    const { channel, generation } = message
    const { find, factsOf, tell } = this.#parts
    const connection = find(channel, generation)
    try {
      const hushed = connection && this.#hushed.get(connection)
      if (connection === undefined || hushed === undefined)
        throw new SockpoolError('CONNECTION_RESET', 'the connection ended before TLS could start')
      const secured = await this.#shake(connection, hushed.socket, message)
      const facts = factsOf(connection, secured)
      connection.secured(secured)
      tell({ kind: 'secured', channel, generation, facts })
    } catch (error) {
      tell({
        kind: 'unsecured',
        channel,
        generation,
        error: SockpoolError.from(error, 'TLS_FAILED').toJSON(),
      })
      connection?.destroy('tls')
    }
  }

  #shake(connection: Connection, socket: Socket, { as, timeoutMs }: SecureMessage): Promise<Socket> {
    if (as.side === 'client') return secureAsClient(socket, as.tls, this.#parts.hostOf(connection), timeoutMs)
    // The wrapping socket begins with what the wrapped one's stream holds.
    if (as.early.length > 0) socket.unshift(Buffer.from(as.early))
    return secureAsServer(socket, as.tls, timeoutMs)
  }
}
