/** A connection as its dialogs speak over it. */
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { SockpoolError } from '../../../src/base/errors.ts'
import type { Vitals } from '../../../src/channel/vitals.ts'
import type { TlsClient } from '../../../src/threads/protocol.ts'
import type { ConnectionLife } from '../connection-life.ts'
import { secureAsClient } from '../tls-client.ts'
import type { DialogLine } from './dialog-run.ts'

export type ConnectionLineDeps = {
  readonly life: ConnectionLife
  /** What a certificate must show where the options name nothing. */
  readonly host: string
  readonly vitals: Vitals
  /** The kernel has taken something. */
  readonly onWrote: () => void
  /** Reads no more from the socket, and hears nothing of it: another is about to wrap it. */
  readonly leave: (socket: Socket) => void
  /** Goes on with the socket that wraps it. */
  readonly goOn: (socket: Socket) => void
}

/** Bytes that the kernel already has are seen only in the second turn. */
const WATCHED_TURNS = 2

export class ConnectionLine implements DialogLine {
  #socket: Socket
  readonly #deps: ConnectionLineDeps

  constructor(socket: Socket, deps: ConnectionLineDeps) {
    this.#socket = socket
    this.#deps = deps
  }

  send(bytes: Uint8Array, sent?: () => void): void {
    this.#socket.write(bytes, error => {
      if (!error) this.#deps.vitals.count('bytesOut', bytes.length)
      this.#deps.onWrote()
      sent?.()
    })
  }

  async settle(): Promise<void> {
    // The socket calls back in the order of the writes, also where it is destroyed.
    await new Promise<void>(resolve => this.#socket.write('', () => resolve()))
    for (let turn = 0; turn < WATCHED_TURNS; turn++) await new Promise(resolve => setImmediate(resolve))
  }

  async startTls(tls: TlsClient, timeoutMs: number): Promise<void> {
    const { life, host, leave, goOn } = this.#deps
    const { state } = life
    if (state.at !== 'dialog') throw endedBefore()
    if (state.socket instanceof TLSSocket)
      throw new SockpoolError('INVALID_REQUEST', 'the connection speaks TLS already')
    leave(state.socket)
    const secured = await secureAsClient(state.socket, tls, host, timeoutMs)
    if (life.state !== state || secured.closed) {
      secured.destroy()
      throw endedBefore()
    }
    life.enter({ ...state, socket: secured })
    this.#socket = secured
    goOn(secured)
  }
}

function endedBefore(): SockpoolError {
  return new SockpoolError('CONNECTION_RESET', 'the connection ended before TLS could start')
}
