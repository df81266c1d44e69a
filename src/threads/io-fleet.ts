/**
 * The I/O workers of one pool: starts them, gives each new connection to the least loaded, watches their pulse,
 * and replaces the dead. The pool's own doorbell hangs here.
 */
import { invariant, SockpoolError } from '../base/errors.ts'
import { FaultGuard } from '../base/fault-guard.ts'
import { LIMITS } from '../base/limits.ts'
import { Wait } from '../base/wait.ts'
import { allocateDoorbell, Doorbell, type DoorbellMemory } from '../channel/doorbell.ts'
import { DEFAULT_RING_SIZES, SlabNumbers } from '../channel/slab.ts'
import { FleetFigures } from './fleet-figures.ts'
import type { IoConnection } from './io-connection.ts'
import type { IoFleetOptions } from './io-fleet-options.ts'
import { IoListener } from './io-listener.ts'
import { IoThread } from './io-thread.ts'
import type { OpenRequest } from './io-thread-deps.ts'
import { leastLoaded } from './least-loaded.ts'
import type { EgressData, ListenSpec, NameAnswer } from './protocol.ts'
import type { OnIncoming } from './thread-listeners.ts'
import { type WorkerDrain, WorkerDrains } from './worker-drains.ts'
import { noWorker } from './worker-errors.ts'
import { workerFile } from './worker-file.ts'
import type { WorkerStats } from './worker-stats.ts'

const NO_EGRESS: EgressData = { allow: [], denied: [], dnsServers: [] }

export class IoFleet {
  readonly figures: FleetFigures
  readonly #options: IoFleetOptions
  /** For what serves the fleet as a whole: its timers. */
  readonly #guard: FaultGuard
  readonly #onFault: (error: unknown) => void
  #egress: EgressData
  /** By the worker's id. */
  readonly #threads: (IoThread | null)[] = []
  readonly #drains: WorkerDrains
  readonly #bellMemory: DoorbellMemory = allocateDoorbell()
  readonly #slabNumbers = new SlabNumbers()
  readonly #connections = new Map<number, IoConnection>()
  /** The doorbells of attached threads. */
  readonly #holders = new Map<number, DoorbellMemory>()
  readonly #doorbell: Doorbell
  readonly #sweep: NodeJS.Timeout
  readonly #listeners = new Set<IoListener>()
  readonly #restarts = new Map<number, NodeJS.Timeout>()
  readonly #awaitingWorker = new Set<Wait<void>>()
  /** In a row, each soon after the worker was started. */
  #deaths = 0
  #holds = 0
  #nextConnection = 1
  #isStopping = false

  constructor(options: IoFleetOptions) {
    invariant(options.workers >= 1, 'a fleet has at least one I/O worker')
    this.#options = options
    this.#onFault = error => options.onFault?.(error)
    this.#guard = new FaultGuard(this.#onFault)
    this.#egress = options.egress ?? NO_EGRESS
    this.#doorbell = new Doorbell(
      this.#bellMemory,
      this.#guard.action((number: number) => this.#rung(number)),
      {
        lingerTurns: LIMITS.poolLingerTurns,
        onTurn: () => this.#flush(),
      },
    )
    this.#sweep = setInterval(
      this.#guard.action(() => this.#look()),
      LIMITS.sweepIntervalMs,
    )
    this.#sweep.unref()
    this.#drains = new WorkerDrains({
      start: index => this.#start(index),
      serving: index => this.#threads[index] ?? null,
      replace: fresh => {
        this.#threads[fresh.index] = fresh
      },
      listeners: this.#listeners,
    })
    this.figures = new FleetFigures({
      threads: this.#threads,
      draining: () => this.#drains.draining,
      connections: this.#connections,
    })
    for (let index = 0; index < options.workers; index++) this.#threads.push(this.#start(index))
  }

  /** Opens a connection in the least loaded worker. Errors: as IoThread.open; QUEUE_FULL at the bound of all workers. */
  async open(request: OpenRequest): Promise<IoConnection> {
    if (this.#threads.every(thread => thread === null)) await this.#waitForWorker(request)
    this.#checkRoom()
    const wanted = this.#all.find(({ threadId }) => threadId === request.thread)
    const opening = (wanted ?? this.#leastLoaded()).open(request)
    this.#doorbell.cover(this.#slabNumbers.channels)
    return await opening
  }

  /**
   * Listens in the least loaded worker, or with `reusePort` in all of them, where the system spreads the clients.
   *
   * `onFailed`: a worker died, and its successor could not bind the address again.
   * Errors: LISTEN_FAILED, DNS_FAILED, WORKER_LOST; nothing stays bound.
   */
  async listen(
    spec: ListenSpec,
    onIncoming: OnIncoming,
    onFailed: (error: SockpoolError) => void,
  ): Promise<IoListener> {
    const threads = spec.reusePort
      ? this.#threads.filter(thread => thread !== null)
      : [this.#listenerThread()].filter(thread => thread !== null)
    if (threads.length === 0) throw noWorker()
    const listener = new IoListener({
      spec,
      onIncoming: incoming =>
        onIncoming({
          ...incoming,
          adopt: async () => {
            this.#checkRoom()
            const adopted = incoming.adopt()
            this.#doorbell.cover(this.#slabNumbers.channels)
            return await adopted
          },
        }),
      onFailed,
      onClosed: closed => this.#listeners.delete(closed),
    })
    this.#listeners.add(listener)
    await listener.open(threads)
    return listener
  }

  /** Has one of the workers look the name up. Errors: as NameLookups.lookUp. */
  async lookUp(name: string, known: readonly string[]): Promise<NameAnswer> {
    return await this.#leastLoaded().names.lookUp(name, known)
  }

  /** What may not be dialled whatever the rules say: this process's own listeners and addresses. */
  setDenied(denied: EgressData['denied']): void {
    this.#egress = { ...this.#egress, denied }
    for (const thread of this.#all) thread.setDenied(denied)
  }

  /** What the rules allow, and who is asked for names, from the next dial on. */
  setEgress(egress: Pick<EgressData, 'allow' | 'dnsServers'>): void {
    this.#egress = { ...this.#egress, ...egress }
    for (const thread of this.#all) thread.setEgress(egress)
  }

  /** Has the I/O workers ring this doorbell for the channels that attached thread `holder` holds; null forgets it. */
  setHolder(holder: number, doorbell: DoorbellMemory | null): void {
    if (doorbell === null) this.#holders.delete(holder)
    else this.#holders.set(holder, doorbell)
    for (const thread of this.#all) thread.setHolder(holder, doorbell)
  }

  /** Keeps the process alive until `release` was called as often: something is open or awaited. */
  hold(): void {
    if (this.#holds++ === 0) this.#sweep.ref()
  }

  release(): void {
    if (--this.#holds === 0) this.#sweep.unref()
  }

  /** All workers run and their hearts beat. */
  get isReady(): boolean {
    return !this.#isStopping && this.#threads.every(thread => thread?.isAlive)
  }

  /** Rings of the pool's doorbell that only the sweep timer found; must be 0. */
  get missedWakes(): number {
    return this.#doorbell.missed
  }

  /** As FleetFigures. */
  get ringBytes(): number {
    return this.figures.ringBytes
  }

  stats(): WorkerStats[] {
    return this.figures.rows()
  }

  /** Destroys what is open and ends all threads. */
  async stop(): Promise<void> {
    this.#isStopping = true
    this.#endWaits()
    for (const timer of this.#restarts.values()) clearTimeout(timer)
    this.#restarts.clear()
    await Promise.all(this.#all.map(thread => thread.stop(LIMITS.workerStopMs)))
    clearInterval(this.#sweep)
    this.#doorbell.stop()
  }

  /**
   * Starts a fresh worker in the place of this one, which takes nothing new from then on, and ends with its last connection.
   * While that goes on, a repeat is the same drain.
   *
   * Errors: NOT_FOUND; WORKER_LOST where it is dead, or its successor could not be started: all is as it was.
   */
  async drainWorker(id: number): Promise<WorkerDrain> {
    if (!Number.isInteger(id) || this.#threads[id] === undefined)
      throw new SockpoolError('NOT_FOUND', 'no I/O worker has this id')
    return await this.#drains.begin(id)
  }

  /** Those that serve, and those beside them that are starting or drained. */
  get #all(): readonly IoThread[] {
    return [...this.#threads.filter(thread => thread !== null), ...this.#drains.beside]
  }

  #checkRoom(): void {
    const { connectionsMax = LIMITS.channelsMax } = this.#options
    let load = 0
    for (const thread of this.#all) load += thread.load
    if (load >= connectionsMax)
      throw new SockpoolError(
        'QUEUE_FULL',
        `${load} connections to targets are open, as many as this process may have; its limit of open files bounds them`,
      )
  }

  #leastLoaded(): IoThread {
    const least = leastLoaded(this.#threads, ({ load }) => load)
    if (least === null) throw noWorker()
    return least
  }

  /** Where a listener goes, or goes on; none where all end. */
  #listenerThread(except: IoThread | null = null): IoThread | null {
    const others = this.#isStopping ? [] : this.#threads.filter(thread => thread !== except)
    return leastLoaded(others, ({ load, listeners }) => load + listeners)
  }

  #dying(thread: IoThread): void {
    const { index } = thread
    if (this.#threads[index] !== thread) return
    for (const listener of this.#listeners) listener.dying(index, this.#listenerThread(thread))
  }

  #start(index: number): IoThread {
    const thread: IoThread = new IoThread({
      index,
      file: this.#options.workerFile ?? workerFile('io-worker'),
      poolDoorbell: this.#bellMemory,
      // A doorbell that was stopped takes no more turns.
      promiseFlush: () => (this.#isStopping ? this.#flush() : this.#doorbell.stir()),
      egress: this.#egress,
      holders: this.#holders,
      ringSizes: this.#options.ringSizes ?? DEFAULT_RING_SIZES,
      slabNumbers: this.#slabNumbers,
      connections: this.#connections,
      nextId: () => `c${this.#nextConnection++}`,
      watched: this.#options.watched ?? 'nothing',
      onDecision: decision => this.#options.onDecision?.(decision),
      onDropped: clients => this.#options.onDropped?.(clients),
      onFault: this.#onFault,
      onDying: () => this.#dying(thread),
      onExit: error => this.#exited(thread, error),
    })
    return thread
  }

  /** All workers died a moment ago; their successors come within the backoff. */
  async #waitForWorker({ signal, connectTimeoutMs: timeoutMs }: OpenRequest): Promise<void> {
    if (this.#isStopping) return
    const wait: Wait<void> = new Wait<void>(
      'the wait for an I/O worker',
      'CONNECT_TIMEOUT',
      { signal, timeoutMs },
      () => this.#awaitingWorker.delete(wait),
    )
    this.#awaitingWorker.add(wait)
    await wait.promise
  }

  /** A fault of one connection stays its own: the sweep goes on to the others. */
  #rung(number: number): void {
    this.#connections.get(number)?.heard(this.#onFault)
  }

  #exited(thread: IoThread, error: Error | null): void {
    const { index } = thread
    const wasServing = this.#threads[index] === thread
    if (wasServing) this.#threads[index] = null
    this.#drains.left(thread)
    this.figures.left(thread)
    if (wasServing) for (const listener of this.#listeners) listener.lost(index, this.#listenerThread())
    // It may have rung the pool's doorbell and died before it could wake this thread.
    this.#doorbell.stir()
    if (this.#isStopping || thread.isStopping) return
    // Of one that was to serve and never did, whoever asked for it hears.
    if (!wasServing && !thread.isRetiring) return
    this.#options.onWorkerLost?.(index, error)
    if (!wasServing) return
    // Deaths far apart are no crash loop.
    if (thread.ageMs > LIMITS.restartForgetMs) this.#deaths = 0
    this.#restart(index)
  }

  #restart(index: number): void {
    this.#deaths++
    const backoffMs = Math.min(
      LIMITS.restartBackoffFirstMs * 2 ** (this.#deaths - 1),
      LIMITS.restartBackoffLastMs,
    )
    const timer = setTimeout(() => {
      this.#restarts.delete(index)
      this.#replace(index)
    }, backoffMs)
    timer.unref()
    this.#restarts.set(index, timer)
  }

  /** A thread that cannot even be started, as where memory is short, counts as one that died at once. */
  #replace(index: number): void {
    let started: IoThread
    try {
      started = this.#start(index)
    } catch (error) {
      this.#options.onWorkerLost?.(index, error instanceof Error ? error : new Error(String(error)))
      return this.#restart(index)
    }
    this.#threads[index] = started
    this.#endWaits()
    for (const listener of this.#listeners) this.#guard.run(() => listener.replaced(started))
  }

  #endWaits(): void {
    for (const wait of this.#awaitingWorker) wait.resolve()
    this.#awaitingWorker.clear()
  }

  #flush(): void {
    for (const thread of this.#all) thread.flush()
  }

  #look(): void {
    this.#doorbell.findMissed(() => this.#options.onMissedWake?.())
    for (const thread of this.#all) {
      thread.look()
      if (thread.silenceMs <= LIMITS.heartbeatDeadMs) continue
      this.#dying(thread)
      thread.terminate()
    }
  }
}
