/**
 * Connections that start TLS on the way. First the connection is hushed, so that the pool's thread can say what the
 * bytes that came before mean; then the socket is wrapped. There is no way back: one that fails is destroyed.
 */
import type { Socket } from 'node:net'
import { SockpoolError } from '../../src/base/errors.ts'
import type { FromIoWorker, HushMessage, SecureMessage } from '../../src/threads/protocol.ts'
import type { Connection, Hushed } from './connection.ts'
import type { Connections } from './connections.ts'
import { secureAsClient } from './tls-client.ts'
import { secureAsServer } from './tls-server.ts'

/** What is asked of the thread's other parts. */
export type UpgradedConnections = Pick<Connections, 'find' | 'hostOf' | 'factsOf'>

export class Upgrades {
  readonly #connections: UpgradedConnections
  readonly #tell: (message: FromIoWorker) => void
  readonly #hushed = new WeakMap<Connection, Hushed>()

  constructor(connections: UpgradedConnections, tell: (message: FromIoWorker) => void) {
    this.#connections = connections
    this.#tell = tell
  }

  /** Errors: CONNECTION_RESET; the connection goes on, where it is there. */
  hush({ channel, generation }: HushMessage): void {
    const connection = this.#connections.find(channel, generation)
    const hushed = connection?.hush() ?? null
    if (connection === undefined || hushed === null) throw endedBefore()
    this.#hushed.set(connection, hushed)
    this.#tell({ kind: 'hushed', channel, generation, bytes: hushed.spill })
  }

  /** Errors: TLS_FAILED, CONNECTION_RESET; the connection is to be destroyed. */
  async secure(message: SecureMessage): Promise<void> {
    const { channel, generation } = message
    const connection = this.#connections.find(channel, generation)
    const hushed = connection && this.#hushed.get(connection)
    if (connection === undefined || hushed === undefined) throw endedBefore()
    this.#hushed.delete(connection)
    const secured = await this.#shake(connection, hushed.socket, message)
    const facts = this.#connections.factsOf(connection, secured)
    connection.secured(secured)
    this.#tell({ kind: 'secured', channel, generation, facts })
  }

  #shake(connection: Connection, socket: Socket, { as, timeoutMs }: SecureMessage): Promise<Socket> {
    if (as.side === 'client')
      return secureAsClient(socket, as.tls, this.#connections.hostOf(connection), timeoutMs)
    // The wrapping socket begins with what the wrapped one's stream holds.
    if (as.early.length > 0) socket.unshift(Buffer.from(as.early))
    return secureAsServer(socket, as.tls, timeoutMs)
  }
}

function endedBefore(): SockpoolError {
  return new SockpoolError('CONNECTION_RESET', 'the connection ended before TLS could start')
}
