/**
 * The threads that serve HTTP: starts them on one port, tells all of them what changes, and replaces the dead. What a dead
 * one was serving is cut off; leases are the main thread's and the pool's, and stay.
 *
 *   starting ──► serving ──► lost ──► starting (after a pause that grows while they die at once)
 */
import type { EventLoopUtilization } from 'node:perf_hooks'
import { LIMITS } from '../base/limits.ts'
import { SharedCount } from '../channel/shared-count.ts'
import type { HttpThreadData, ToHttpThread } from './http-protocol.ts'
import { type BoundPlace, HttpThread, type HttpThreadRow } from './http-thread.ts'
import type { RelayedSocket } from './relayed-socket.ts'
import { workerFile } from './worker-file.ts'

export type HttpFleetOptions = {
  readonly threads: number
  /** The first number of their rows. */
  readonly firstId: number
  /** What the thread of a slot, from 1, is started with now. */
  readonly dataOf: (slot: number) => Omit<HttpThreadData, 'connections' | 'requests' | 'notices'>
  readonly onLog: (text: string) => void
  /** A client's connection leaves HTTP: it comes as one on which its request is the first. */
  readonly onTunnel: (socket: RelayedSocket) => void
  /** A thread is dead, and another takes its place. */
  readonly onLost: (slot: number, error: Error | null) => void
}

/** A thread as it is now. */
export type HttpThreadFigures = {
  readonly id: number
  readonly threadId: number
  readonly loopDelayMs: number
  readonly loopTime: EventLoopUtilization
}

type Seat = {
  thread: HttpThread | null
  pastRequests: number
  deaths: number
  restart: NodeJS.Timeout | null
}

export class HttpFleet {
  readonly #options: HttpFleetOptions
  readonly #notices = new SharedCount()
  readonly #seats: readonly Seat[]
  #hosts: readonly string[] = []
  #port = 0
  #isClosing = false

  constructor(options: HttpFleetOptions) {
    this.#options = options
    const vacant = (): Seat => ({ thread: null, pastRequests: 0, deaths: 0, restart: null })
    this.#seats = Array.from({ length: options.threads }, vacant)
  }

  /** Starts all threads on one port; 0 picks a free one. Errors: the system's where the port cannot be bound. */
  async listen(hosts: readonly string[], port: number): Promise<BoundPlace> {
    this.#hosts = hosts
    const threads = this.#seats.map((_seat, index) => this.#start(index))
    const [first, ...others] = threads
    if (first === undefined) throw new Error('there is no thread to serve HTTP')
    const place = await first.listen(hosts, port, true)
    this.#port = place.port
    await Promise.all(others.map(thread => thread.listen(hosts, place.port, false)))
    return place
  }

  /** Tells all threads something that holds at once. */
  notify(message: Extract<ToHttpThread, { kind: 'rules' | 'closing' }>): void {
    for (const { thread } of this.#seats) thread?.tell(message)
    this.#notices.add(1)
  }

  rows(): HttpThreadRow[] {
    return this.#seats.map(({ thread, pastRequests }, index) => ({
      id: this.#options.firstId + index,
      kind: 'http',
      threadId: thread?.threadId ?? -1,
      state: thread === null ? 'lost' : thread.isServing ? 'serving' : 'starting',
      connections: thread?.connections ?? 0,
      requests: pastRequests + (thread?.requests ?? 0),
      dialled: 0,
      bytesIn: 0,
      bytesOut: 0,
      utilization: thread?.utilization ?? 0,
    }))
  }

  /** Of the threads that run. `loopDelayMs` is known to whoever has the memory that they tell it in, by slot. */
  figures(loopDelayMs: (slot: number) => number): HttpThreadFigures[] {
    return this.#seats.flatMap(({ thread }, index) => {
      if (thread === null) return []
      const { threadId, loopTime } = thread
      return [{ id: this.#options.firstId + index, threadId, loopTime, loopDelayMs: loopDelayMs(index + 1) }]
    })
  }

  /** Ends all threads; those that still serve after `graceMs` are terminated. Safe to call twice. */
  async close(graceMs: number): Promise<void> {
    this.#isClosing = true
    for (const { restart } of this.#seats) if (restart !== null) clearTimeout(restart)
    await Promise.all(this.#seats.map(({ thread }) => thread?.close(graceMs)))
  }

  #start(index: number): HttpThread {
    const slot = index + 1
    const thread: HttpThread = new HttpThread({
      file: workerFile('http-worker'),
      data: { ...this.#options.dataOf(slot), notices: this.#notices.memory },
      onLog: this.#options.onLog,
      onTunnel: this.#options.onTunnel,
      onExit: error => this.#exited(index, thread, error),
    })
    const seat = this.#seats[index]
    if (seat) seat.thread = thread
    return thread
  }

  #exited(index: number, thread: HttpThread, error: Error | null): void {
    const seat = this.#seats[index]
    if (seat?.thread !== thread) return
    seat.thread = null
    seat.pastRequests += thread.requests
    // Before the port was bound whoever started the fleet hears of it.
    if (this.#isClosing || this.#port === 0) return
    this.#options.onLost(index + 1, error)
    // Deaths far apart are no crash loop.
    if (performance.now() - thread.startedMs > LIMITS.restartForgetMs) seat.deaths = 0
    this.#restart(index, seat)
  }

  #restart(index: number, seat: Seat): void {
    const backoffMs = Math.min(LIMITS.restartBackoffFirstMs * 2 ** seat.deaths, LIMITS.restartBackoffLastMs)
    seat.deaths++
    seat.restart = setTimeout(() => {
      seat.restart = null
      this.#replace(index, seat)
    }, backoffMs)
  }

  /** A thread that cannot be started, or cannot bind the port, counts as one that died at once. */
  #replace(index: number, seat: Seat): void {
    try {
      const thread = this.#start(index)
      thread.listen(this.#hosts, this.#port, false).catch(() => thread.terminate())
    } catch (error) {
      this.#options.onLost(index + 1, error instanceof Error ? error : new Error(String(error)))
      this.#restart(index, seat)
    }
  }
}
