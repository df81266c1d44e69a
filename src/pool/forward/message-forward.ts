/**
 * A front door whose clients have a connection of its target only while a message is under way; on a target that shares
 * connections they have none. Who accepts the clients is another's affair: `handler` is given the two ends of each.
 *
 * All clients of a front door are one tenant: they come without a token, by the operator's leave, and share what lies idle.
 */
import { isDeepStrictEqual } from 'node:util'
import { SockpoolError } from '../../base/errors.ts'
import type { Frame } from '../../frames/frame.ts'
import type { FrameSpec } from '../../frames/frame-spec.ts'
import { balancedFrame } from '../../frames/frames.ts'
import type { StreamReader } from '../../streams/reading/stream-reader.ts'
import type { StreamWriter } from '../../streams/writing/stream-writer.ts'
import type { IoConnection } from '../../threads/io-connection.ts'
import type { ThreadDesks } from '../../threads/thread-desks.ts'
import { Carriers, type CarriersDeps } from './carriers.ts'
import { FrontClient, type FrontClientDeps } from './front-client.ts'
import type { DeskWay, FrontDesk } from './front-desk.ts'

export type MessageForwardDeps = Pick<
  CarriersDeps,
  'pool' | 'tenant' | 'acquire' | 'waiterCount' | 'now' | 'onFault'
> &
  Pick<FrontClientDeps, 'share' | 'onPin' | 'timeoutMs'> & {
    /** It is closed. */
    readonly onClosed: () => void
  }

export class MessageForward implements AsyncDisposable {
  readonly #deps: MessageForwardDeps
  readonly #carriers: Carriers
  readonly #clients = new Map<FrontClient, Promise<void>>()
  #spec: FrameSpec | undefined
  #frame: Frame | null = null
  /** By the I/O worker in which its clients are. */
  readonly #desks = new Map<ThreadDesks, FrontDesk>()
  #isDraining = false

  /** Errors: TARGET_NOT_FOUND; INVALID_REQUEST for a target whose messages cannot be told apart. */
  constructor(deps: MessageForwardDeps) {
    this.#deps = deps
    this.#carriers = new Carriers({ ...deps, frame: () => this.#currentFrame() })
    this.#currentFrame()
  }

  get clients(): number {
    return this.#clients.size
  }

  /** Clients that keep a connection. */
  get pinned(): number {
    let count = 0
    for (const client of this.#clients.keys()) if (client.isPinned) count++
    return count
  }

  /** As Carriers.ahead. */
  get ahead(): number {
    return this.#carriers.ahead
  }

  /** Serves one client; resolves when it is done with. */
  readonly handler = async (
    reader: StreamReader,
    writer: StreamWriter,
    connection: IoConnection | null = null,
    onMoved: FrontClientDeps['onMoved'] = () => {},
  ): Promise<void> => {
    if (this.#isDraining) return writer.close()
    const { share, onPin, timeoutMs, onFault } = this.#deps
    const client = new FrontClient({
      ends: { reader, writer },
      desk: connection && this.#wayOf(connection),
      frame: this.#currentFrame(),
      carriers: this.#carriers,
      isShared: () => this.#isShared,
      ...{ share, onPin, onMoved, timeoutMs, onFault },
    })
    const running = client.run()
    this.#clients.set(client, running)
    try {
      await running
    } finally {
      this.#clients.delete(client)
    }
  }

  /** To be called now and then, and when an operator has spoken. */
  tend(): void {
    this.#closeDesks(desk => !this.#mayServe(desk))
    this.#carriers.tend()
  }

  /** Ends each client when what it has asked is answered; those that keep a connection go on, until `close`. */
  drain(): void {
    this.#isDraining = true
    for (const client of this.#clients.keys()) client.drain()
  }

  /** Ends all clients at once. Safe to call twice. */
  close(): void {
    this.drain()
    this.#closeDesks(() => true)
    this.#carriers.close()
    for (const client of this.#clients.keys()) client.abort()
    this.#deps.onClosed()
  }

  /** Closes, and waits until nothing is left. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close()
    await Promise.allSettled(this.#clients.values())
  }

  /** A client's way to the desk of its thread, which is opened for the first. */
  #wayOf(connection: IoConnection): DeskWay {
    const { desks } = connection
    return {
      attend: (served, onStrayed) => {
        const frame = this.#tryFrame()
        if (frame === null || this.#isDraining || this.#spec === undefined) return false
        const known = this.#desks.get(desks)
        const desk = known?.frame === frame ? known : this.#carriers.openDesk(connection, this.#spec)
        if (known !== undefined && known !== desk) this.#carriers.closeDesk(known)
        this.#desks.set(desks, desk)
        return desk.attend(connection, served, onStrayed)
      },
      recall: () => this.#desks.get(desks)?.recallClient(connection),
    }
  }

  /** Whether its clients may go on there, as the target is now. */
  #mayServe(desk: FrontDesk): boolean {
    return desk.frame === this.#tryFrame() && !this.#isShared
  }

  /** Null where the target is no more, or its messages cannot be told apart: its clients hear so when they ask. */
  #tryFrame(): Frame | null {
    try {
      return this.#currentFrame()
    } catch {
      return null
    }
  }

  #closeDesks(which: (desk: FrontDesk) => boolean): void {
    for (const [desks, desk] of this.#desks)
      if (which(desk)) {
        this.#desks.delete(desks)
        this.#carriers.closeDesk(desk)
      }
  }

  /** Of a target that is no more nothing is: its clients hear so where they ask for a connection. */
  get #isShared(): boolean {
    try {
      return this.#deps.pool().target.multiplex !== undefined
    } catch {
      return false
    }
  }

  /** That of the target as it is now: another object only where another one is configured. Errors: as the constructor. */
  #currentFrame(): Frame {
    const { name, target } = this.#deps.pool()
    if (this.#frame !== null && target.frame === this.#spec) return this.#frame
    if (this.#frame !== null && isDeepStrictEqual(target.frame, this.#spec)) {
      this.#spec = target.frame
      return this.#frame
    }
    const frame = balancedFrame(target.frame)
    if (frame === null || frame.requests() === null) throw notByMessage(name)
    this.#spec = target.frame
    this.#frame = frame
    return frame
  }
}

function notByMessage(target: string): SockpoolError {
  const message = 'must be of a target whose requests and answers can be told apart by its frame'
  const errors = [{ path: 'target', message }]
  return new SockpoolError('INVALID_REQUEST', `target (${target}) ${message}`, { errors })
}
