/** The desks of one I/O worker, by the number that the pool's thread gave them. */
import { invariant, SockpoolError } from '../../../src/base/errors.ts'
import type { FaultGuard } from '../../../src/base/fault-guard.ts'
import { LIMITS } from '../../../src/base/limits.ts'
import type { CallerMessage, Frame, MessageCutter } from '../../../src/frames/frame.ts'
import { balancedFrame } from '../../../src/frames/frames.ts'
import type {
  AttendMessage,
  DeskMessage,
  FromIoWorker,
  LendMessage,
  RecallMessage,
} from '../../../src/threads/protocol.ts'
import type { Connection } from '../connection.ts'
import { Desk } from './desk.ts'

export type DesksDeps = {
  readonly connections: { find(channel: number, generation: number): Connection | undefined }
  readonly tell: (message: FromIoWorker) => void
  readonly guard: FaultGuard
}

export class Desks {
  readonly #deps: DesksDeps
  readonly #desks = new Map<number, Desk>()
  readonly #look: () => void
  #timer: NodeJS.Timeout | null = null

  constructor(deps: DesksDeps) {
    this.#deps = deps
    this.#look = deps.guard.action(() => this.#looked())
  }

  /** Errors: INVALID_REQUEST for a frame by which messages cannot be told apart. */
  open({ desk: number, frame: spec }: DeskMessage): void {
    this.#desks.get(number)?.close()
    this.#desks.delete(number)
    if (spec === null) return
    const frame = balancedFrame(spec)
    if (frame?.requests() == null)
      throw new SockpoolError('INVALID_REQUEST', 'a desk needs a frame of messages')
    const { tell } = this.#deps
    const requests = (): MessageCutter<CallerMessage> => requestsOf(frame)
    const now = (): number => performance.now()
    this.#desks.set(
      number,
      new Desk({ number, frame, requests, tell, now, lookSoon: () => this.#lookSoon() }),
    )
  }

  /** Where there is no such desk, or no such client, the pool's thread goes on with it. */
  attend({ desk: number, channel, generation, served }: AttendMessage): void {
    const connection = this.#deps.connections.find(channel, generation)
    const desk = this.#desks.get(number)
    if (connection !== undefined && desk !== undefined) return desk.attend(connection, generation, served)
    this.#deps.tell({
      kind: 'strayed',
      desk: number,
      channel,
      generation,
      bytesIn: 0,
      bytesOut: 0,
      asked: [],
      carrier: null,
    })
  }

  lend({ desk: number, channel, generation }: LendMessage): void {
    const connection = this.#deps.connections.find(channel, generation)
    const desk = this.#desks.get(number)
    if (connection !== undefined && desk !== undefined) return desk.lend(connection, generation)
    this.#deps.tell({ kind: 'returned', desk: number, channel, generation, isAtRest: true })
  }

  recall({ desk: number, what }: RecallMessage): void {
    const desk = this.#desks.get(number)
    if (what === 'lent') desk?.recall()
    else if (what === 'waiting') desk?.recallWaiting()
    else desk?.recallClient(what)
  }

  /** A client or a connection that was to come could not: the pool's thread goes on with it. */
  refuse({ kind, desk, channel, generation }: AttendMessage | LendMessage): void {
    const own = { desk, channel, generation }
    if (kind === 'lend') return this.#deps.tell({ kind: 'returned', ...own, isAtRest: false })
    this.#deps.tell({ kind: 'strayed', ...own, bytesIn: 0, bytesOut: 0, asked: [], carrier: null })
  }

  #lookSoon(): void {
    this.#timer ??= setTimeout(this.#look, LIMITS.deskLookMs)
  }

  #looked(): void {
    this.#timer = null
    for (const desk of this.#desks.values()) {
      desk.look()
      if (!desk.isQuiet) this.#lookSoon()
    }
  }
}

function requestsOf(frame: Frame): MessageCutter<CallerMessage> {
  const cutter = frame.requests()
  invariant(cutter !== null, 'the frame of a desk cuts requests')
  return cutter
}
