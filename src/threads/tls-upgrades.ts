/**
 * The pool thread's half of the messages that start TLS on a connection. One upgrade at a time for a connection; a
 * connection that ends meanwhile, or whose worker dies, fails it.
 */
import { reviveError } from '../base/errors.ts'
import type {
  HushedMessage,
  HushMessage,
  SecuredMessage,
  SecureMessage,
  SocketFacts,
  TlsSide,
  ToIoWorker,
  UnsecuredMessage,
} from './protocol.ts'

/** What a connection needs of its thread to start TLS. */
export interface UpgradePort {
  /** Stops plain reading on the connection of that generation; the bytes that had no room in the ring. Errors: CONNECTION_RESET, WORKER_LOST. */
  hush(channel: number, generation: number): Promise<Uint8Array>
  /** Shakes hands on a hushed connection; its new facts. Errors: TLS_FAILED, CONNECTION_RESET, WORKER_LOST. */
  secure(channel: number, generation: number, as: TlsSide, timeoutMs: number): Promise<SocketFacts>
}

type Waiting = {
  readonly resolve: (message: HushedMessage | SecuredMessage) => void
  readonly reject: (error: Error) => void
}

export class TlsUpgrades implements UpgradePort {
  readonly #tell: (message: ToIoWorker) => void
  readonly #waiting = new Map<string, Waiting>()
  #lost: Error | null = null

  constructor(tell: (message: ToIoWorker) => void) {
    this.#tell = tell
  }

  async hush(channel: number, generation: number): Promise<Uint8Array> {
    const message = await this.#ask({ kind: 'hush', channel, generation })
    return message.kind === 'hushed' ? message.bytes : new Uint8Array()
  }

  async secure(channel: number, generation: number, as: TlsSide, timeoutMs: number): Promise<SocketFacts> {
    const message = await this.#ask({ kind: 'secure', channel, generation, as, timeoutMs })
    if (message.kind === 'secured') return message.facts
    throw new Error('an upgrade was hushed twice')
  }

  received(message: HushedMessage | SecuredMessage | UnsecuredMessage): void {
    const key = keyOf(message.channel, message.generation)
    const waiting = this.#waiting.get(key)
    this.#waiting.delete(key)
    if (message.kind === 'unsecured') waiting?.reject(reviveError(message.error))
    else waiting?.resolve(message)
  }

  /** The thread is gone. */
  fail(error: Error): void {
    this.#lost = error
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
  }

  #ask(message: HushMessage | SecureMessage): Promise<HushedMessage | SecuredMessage> {
    if (this.#lost) return Promise.reject(this.#lost)
    const { promise, resolve, reject } = Promise.withResolvers<HushedMessage | SecuredMessage>()
    this.#waiting.set(keyOf(message.channel, message.generation), { resolve, reject })
    this.#tell(message)
    return promise
  }
}

function keyOf(channel: number, generation: number): string {
  return `${channel} ${generation}`
}
