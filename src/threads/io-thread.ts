/**
 * One I/O worker as the pool's thread sees it: its slabs, its doorbell, and what it has open. It dies once, and the fleet
 * replaces it.
 */
import type { EventLoopUtilization } from 'node:perf_hooks'
import { Worker } from 'node:worker_threads'
import { reviveError } from '../base/errors.ts'
import { FaultGuard } from '../base/fault-guard.ts'
import { aborted } from '../base/wait.ts'
import { allocateDoorbell, type DoorbellMemory, doorbellWords, TurnRinger } from '../channel/doorbell.ts'
import { SlabAllocator } from '../channel/slab.ts'
import { allocateVitals, Vitals } from '../channel/vitals.ts'
import { Heartbeat } from './heartbeat.ts'
import { IoConnection } from './io-connection.ts'
import type { IoThreadDeps, OpenRequest } from './io-thread-deps.ts'
import { NameLookups } from './name-lookups.ts'
import { Openings } from './openings.ts'
import type {
  EgressData,
  FailedMessage,
  FaultMessage,
  FromIoWorker,
  IoWorkerData,
  ListenSpec,
  OpenedMessage,
  ToIoWorker,
} from './protocol.ts'
import { type BoundListener, type OnIncoming, ThreadListeners } from './thread-listeners.ts'
import { TlsUpgrades } from './tls-upgrades.ts'
import { lost, lostBefore, mishandled } from './worker-errors.ts'

export class IoThread {
  readonly index: number
  /** As no other thread of this process is called, before or after it. */
  readonly threadId: number
  /** What it has counted, and tells; it stays readable after its death. */
  readonly vitals: Vitals
  readonly names: NameLookups = new NameLookups(message => this.#tell(message))
  readonly #deps: IoThreadDeps
  readonly #worker: Worker
  readonly #slabs: SlabAllocator
  readonly #ringer: TurnRinger
  readonly #doorbell: DoorbellMemory
  readonly #openings = new Openings()
  readonly #own = new Map<number, IoConnection>()
  readonly #listeners = new ThreadListeners({
    thread: () => this.threadId,
    tell: message => this.#tell(message),
    adopt: (listener, incoming) => this.#adopt(listener, incoming),
  })
  readonly #upgrades = new TlsUpgrades(message => this.#tell(message))
  /** Everything that the event loop calls here: a throw would end the program that the pool is in. */
  readonly #guard: FaultGuard
  readonly #exited: Promise<void>
  readonly #startedMs = performance.now()
  readonly #started = Promise.withResolvers<boolean>()
  #emptied: PromiseWithResolvers<void> | null = null
  #isRetiring = false
  #isStopping = false
  #error: Error | null = null
  #isGone = false
  readonly #heartbeat = new Heartbeat()

  constructor(deps: IoThreadDeps) {
    this.index = deps.index
    this.#deps = deps
    this.#guard = new FaultGuard(deps.onFault)
    this.#slabs = new SlabAllocator(deps.ringSizes, deps.slabNumbers)
    const [doorbell, vitals] = [allocateDoorbell(), allocateVitals(deps.watched)]
    this.#doorbell = doorbell
    this.#ringer = new TurnRinger(doorbellWords(doorbell), deps.promiseFlush)
    this.vitals = new Vitals(vitals)
    const { poolDoorbell, egress, index, holders } = deps
    const workerData: IoWorkerData = { index, doorbell, poolDoorbell, vitals, egress, holders }
    // None of the program's flags: `--input-type`, of a program given by --eval, would keep the thread from starting.
    this.#worker = new Worker(deps.file, { workerData, name: `sockpool-io-${index}`, execArgv: [] })
    // It is gone from there once the thread has ended.
    this.threadId = this.#worker.threadId
    this.#worker.on(
      'message',
      this.#guard.action((message: FromIoWorker) => this.#received(message)),
    )
    // The pool keeps its process alive while something is open or awaited, not by merely having threads. A listener
    // for messages would take the reference again, so this comes after it.
    this.#worker.unref()
    this.#worker.on('error', (error: unknown) => {
      this.#error = error instanceof Error ? error : new Error(String(error))
      this.#guard.run(() => this.#deps.onDying())
    })
    this.#exited = new Promise(resolve => {
      this.#worker.on('exit', () => {
        this.#guard.run(() => this.#gone())
        resolve()
      })
    })
  }

  /** Whether it runs, once that is known; false where it ended before. Never rejects. */
  get started(): Promise<boolean> {
    return this.#started.promise
  }

  /** It is to take nothing new. */
  get isRetiring(): boolean {
    return this.#isRetiring
  }

  get isStopping(): boolean {
    return this.#isStopping
  }

  /** Is given nothing new from now on, but for clients that it has. */
  retire(): void {
    this.#isRetiring = true
  }

  /** Resolves when its last connection is gone. */
  waitEmpty(): Promise<void> {
    this.#emptied ??= Promise.withResolvers<void>()
    this.#tellEmpty()
    return this.#emptied.promise
  }

  #tellEmpty(): void {
    if (this.load === 0 || this.#isGone) this.#emptied?.resolve()
  }

  /** Milliseconds since it was started. */
  get ageMs(): number {
    return performance.now() - this.#startedMs
  }

  /** Connections open or being opened: what "least loaded" compares. */
  get load(): number {
    return this.#own.size + this.#openings.size
  }

  get connections(): number {
    return this.#own.size
  }

  get listeners(): number {
    return this.#listeners.count
  }

  /** How its event loop has spent its time so far; null once it is gone. */
  get loopTime(): EventLoopUtilization | null {
    return this.#isGone ? null : this.#worker.performance.eventLoopUtilization()
  }

  /** Looks for a sign of life; to be called every LIMITS.sweepIntervalMs. */
  look(): void {
    this.#heartbeat.look(this.vitals.beats)
  }

  /** As Heartbeat's. */
  get silenceMs(): number {
    return this.#heartbeat.silenceMs
  }

  get isAlive(): boolean {
    return this.#heartbeat.isAlive
  }

  /**
   * Opens one connection.
   *
   * Errors: CONNECT_REFUSED, CONNECT_FAILED, CONNECT_TIMEOUT, DNS_FAILED, TLS_FAILED, TARGET_DENIED,
   * DIALOG_FAILED, WORKER_LOST, QUEUE_FULL; ABORTED, and then nothing is left behind.
   */
  open(request: OpenRequest): Promise<IoConnection> {
    const { dial, connectTimeoutMs, signal, onPlace } = request
    if (signal?.aborted) return Promise.reject(aborted('connect', signal))
    if (this.#isGone) return Promise.reject(lostBefore(this.#error))
    const channel = this.#slabs.take()
    const giveUp = this.#guard.action(() => {
      channel.requestShut('abort')
      this.#ringer.ring(channel.number)
    })
    signal?.addEventListener('abort', giveUp, { once: true })
    const { memory, generation } = channel
    this.#tell({ kind: 'open', memory, generation, dial, connectTimeoutMs })
    return this.#openings.add(channel, () => signal?.removeEventListener('abort', giveUp), onPlace)
  }

  /** Binds. Errors: LISTEN_FAILED, DNS_FAILED, WORKER_LOST. */
  listen(spec: ListenSpec, onIncoming: OnIncoming): Promise<BoundListener> {
    return this.#listeners.listen(spec, onIncoming)
  }

  /** Announces the doorbell of an attached thread, or with null that the thread is gone. */
  setHolder(holder: number, doorbell: DoorbellMemory | null): void {
    this.#tell({ kind: 'holder', holder, doorbell })
  }

  setDenied(denied: EgressData['denied']): void {
    this.#tell({ kind: 'denied', denied })
  }

  setEgress(egress: Pick<EgressData, 'allow' | 'dnsServers'>): void {
    this.#tell({ kind: 'egress', ...egress })
  }

  /** Lets the thread destroy its sockets and end; terminates it where it does not within `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    if (this.#isGone) return
    this.#isStopping = true
    this.#tell({ kind: 'stop' })
    const timer = setTimeout(() => this.terminate(), graceMs)
    await this.#exited
    clearTimeout(timer)
  }

  /** Wakes the worker, where something was rung for it in this turn. */
  flush(): void {
    this.#ringer.flush()
  }

  /** Ends the thread whatever it does; its `exit` event tells when. */
  terminate(): void {
    this.#worker.terminate().catch((error: unknown) => this.#deps.onFault(error))
  }

  memory(): { readonly channels: number; readonly taken: number; readonly slabBytes: number } {
    return this.#slabs.stats()
  }

  async #adopt(listener: number, incoming: number): Promise<IoConnection> {
    if (this.#isGone) throw lostBefore(this.#error)
    const channel = this.#slabs.take()
    const { memory, generation } = channel
    this.#tell({ kind: 'adopt', listener, incoming, memory, generation })
    return await this.#openings.add(channel, () => {})
  }

  #tell(message: ToIoWorker): void {
    this.#worker.postMessage(message)
  }

  #received(message: FromIoWorker): void {
    switch (message.kind) {
      case 'ready':
        this.#heartbeat.started()
        return this.#started.resolve(true)
      case 'opened':
        return this.#opened(message)
      case 'failed':
        return this.#failed(message)
      case 'listening':
      case 'unlistened':
      case 'incoming':
      case 'departed':
        return this.#listeners.received(message)
      case 'unspliced':
      case 'moved':
        return this.#listeners.splices.received(message)
      case 'wanted':
      case 'returned':
      case 'strayed':
        return this.#listeners.desks.received(message)
      case 'hushed':
      case 'secured':
      case 'unsecured':
        return this.#upgrades.received(message)
      case 'found':
      case 'unfound':
        return this.names.received(message)
      case 'decision':
        return this.#deps.onDecision(message.decision)
      case 'dropped':
        return this.#deps.onDropped(message.clients)
      case 'fault':
        return this.#broke(message)
      case 'mishandled':
        return this.#deps.onFault(mishandled(message))
      default:
        message satisfies never
    }
  }

  /** The worker closes a connection for a fault of ours. Its ends hear of it at once, its owner when it is gone. */
  #broke({ channel, generation, error }: FaultMessage): void {
    const connection = this.#own.get(channel)
    if (connection?.channel.generation === generation) connection.broke()
    this.#deps.onFault(reviveError(error))
  }

  #opened(message: OpenedMessage): void {
    const opening = this.#openings.settle(message)
    if (opening === null) return
    const { channel } = opening
    const connection: IoConnection = new IoConnection({
      id: this.#deps.nextId(),
      worker: this.index,
      thread: this.threadId,
      channel,
      ringer: this.#ringer,
      doorbell: this.#doorbell,
      facts: message.facts,
      upgrades: this.#upgrades,
      splices: this.#listeners.splices,
      desks: this.#listeners.desks,
      tell: message => this.#tell(message),
      isRetiring: () => this.#isRetiring,
      onFree: () => {
        if (this.#own.get(channel.number) !== connection) return
        this.#own.delete(channel.number)
        // A channel that stayed pinned beyond its thread's death shares its number with a successor's.
        if (this.#deps.connections.get(channel.number) === connection)
          this.#deps.connections.delete(channel.number)
        this.#slabs.giveBack(channel)
        this.#tellEmpty()
      },
    })
    this.#own.set(channel.number, connection)
    this.#deps.connections.set(channel.number, connection)
    opening.resolve(connection)
    // It may have ended, or been given up, before this message came.
    connection.heard(this.#deps.onFault)
  }

  #failed(message: FailedMessage): void {
    const opening = this.#openings.settle(message)
    if (opening === null) return
    this.#slabs.giveBack(opening.channel)
    this.#tellEmpty()
    const error = reviveError(message.error)
    if (message.attempts) error.cause = new AggregateError(message.attempts.map(reviveError), error.message)
    opening.reject(error)
  }

  #gone(): void {
    this.#isGone = true
    this.#started.resolve(false)
    this.#tellEmpty()
    this.#openings.fail(() => lostBefore(this.#error))
    // Whoever is told of the loss may fail over it; all the others are told as well.
    this.#guard.run(() => this.#listeners.fail(lostBefore(this.#error)))
    this.#guard.run(() => this.#upgrades.fail(lost(this.#error)))
    this.#guard.run(() => this.names.fail(lostBefore(this.#error)))
    for (const connection of [...this.#own.values()]) this.#guard.run(() => connection.workerLost())
    this.#guard.run(() => this.#slabs.abandon())
    this.#deps.onExit(this.#error)
  }
}
