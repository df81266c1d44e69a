/** The connections that one I/O worker was asked for and has not answered about, by the number of their channel. */
import type { Channel } from '../channel/channel.ts'
import type { IoConnection } from './io-connection.ts'
import type { Opening } from './io-thread-deps.ts'
import type { FailedMessage, OpenedMessage } from './protocol.ts'

export class Openings {
  readonly #underWay = new Map<number, Opening>()

  get size(): number {
    return this.#underWay.size
  }

  /** Resolves when the worker serves the channel. */
  add(
    channel: Channel,
    forget: () => void,
    onPlace: (place: number) => void = () => {},
  ): Promise<IoConnection> {
    const { promise, resolve, reject } = Promise.withResolvers<IoConnection>()
    this.#underWay.set(channel.number, { channel, resolve, reject, onPlace, forget })
    return promise
  }

  /** The one that the worker's answer is about; null where nobody awaits it any more. */
  settle(message: OpenedMessage | FailedMessage): Opening | null {
    const opening = this.#underWay.get(message.channel)
    if (opening === undefined || opening.channel.generation !== message.generation) return null
    this.#underWay.delete(message.channel)
    opening.forget()
    if (message.place !== undefined) opening.onPlace(message.place)
    return opening
  }

  /** No answer comes any more. */
  fail(error: () => Error): void {
    for (const { reject, forget } of this.#underWay.values()) {
      forget()
      reject(error())
    }
    this.#underWay.clear()
  }
}
