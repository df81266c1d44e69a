/**
 * The service's HTTP threads, where there are several: they are what clients reach, and the app of the main thread answers
 * on a private socket what they relay, and on a port each what leaves HTTP. The socket's folder is this user's alone, and a
 * secret that is made anew at each start proves that a request comes from a thread of this process.
 */
import { randomBytes } from 'node:crypto'
import { lookup } from 'node:dns/promises'
import { rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { createServer as createTlsServer } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import type { Logger } from 'pino'
import { isExhaustion, isOutOfDescriptors } from '../base/descriptors.ts'
import { LIMITS } from '../base/limits.ts'
import { HttpFigures } from '../channel/http-figures.ts'
import type { NamedDurations } from '../channel/shared-durations.ts'
import { SharedTallies } from '../channel/shared-tallies.ts'
import type { TcpAddress } from '../config/address.ts'
import type { Config } from '../config/config.ts'
import type { ListenerTls } from '../http/ports.ts'
import type { PoolHandle } from '../threads/attach-protocol.ts'
import { HttpFleet, type HttpFleetOptions, type HttpThreadFigures } from '../threads/http-fleet.ts'
import type { HttpRulesData } from '../threads/http-protocol.ts'
import type { BoundPlace, HttpThreadRow } from '../threads/http-thread.ts'
import type { ServedRules } from './live-config.ts'

export type HttpThreadsDeps = {
  readonly config: Config
  readonly listen: TcpAddress
  readonly pool: PoolHandle
  readonly auth: Config['auth']
  /** Where their spans go. */
  readonly telemetry: Config['telemetry']
  /** HTTP connections of all threads at once. */
  readonly connectionsMax: number
  /** Fires when the service drains. */
  readonly draining: AbortSignal
  readonly log: Logger
  readonly sink: { write(text: string): void }
  /** A thread has died, and another takes its place. */
  readonly onLost: () => void
}

/** A relayed request takes a client's connection and both ends of one to the main thread. */
const DESCRIPTORS_OF_REQUEST = 3

/** What the system says where it has no port that several sockets share. */
const UNSHARED: ReadonlySet<unknown> = new Set(['ENOTSUP', 'ENOPROTOOPT', 'ENOSYS', 'ERR_INVALID_ARG_VALUE'])

export class HttpThreads {
  /** What each tenant has in use on all threads together. */
  readonly tallies: SharedTallies
  /** Proves that a request was relayed. */
  readonly secret: string = randomBytes(32).toString('base64url')
  readonly #deps: HttpThreadsDeps
  readonly #fleet: HttpFleet
  readonly #slots: number
  /** What the threads tell of themselves, by slot. */
  readonly #figures: ReadonlyMap<number, HttpFigures>
  #rules: Omit<HttpRulesData, 'tallies'>
  #folder: string | null = null
  #takeTunnel: (socket: Duplex) => void = socket => void socket.destroy()
  readonly #removeFolder = (): void => {
    const folder = this.#folder
    this.#folder = null
    try {
      if (folder !== null) rmSync(folder, { recursive: true, force: true })
    } catch (error) {
      // There is none for the system to look into the folder by, which stays where the system keeps such folders for a while.
      if (!isOutOfDescriptors() && !isExhaustion(error)) throw error
    }
  }

  constructor(deps: HttpThreadsDeps) {
    const { threads, hosts, origins, tls, accessLog } = deps.config.http
    this.#deps = deps
    this.#slots = threads + 1
    this.#figures = new Map(Array.from({ length: threads }, (_none, index) => [index + 1, new HttpFigures()]))
    this.tallies = new SharedTallies(this.#slots, 0)
    this.#rules = { auth: deps.auth, hosts, members: [], origins, tls, accessLog }
    deps.draining.addEventListener('abort', () => this.#fleet.notify({ kind: 'closing' }), { once: true })
    this.#fleet = new HttpFleet({
      threads,
      firstId: deps.config.ioWorkers,
      dataOf: slot => this.#dataOf(slot),
      onLog: text => deps.sink.write(text),
      onTunnel: socket => this.#takeTunnel(socket),
      onLost: (slot, error) => this.#lost(slot, error),
    })
  }

  /** Makes the place of the private socket, which the main thread's app is to listen on. Errors: the system's. */
  async prepare(): Promise<string> {
    this.#folder = await mkdtemp(join(tmpdir(), 'sockpool-http-'))
    // A process that is told to exit at once leaves nothing behind.
    process.once('exit', this.#removeFolder)
    return this.#path
  }

  /**
   * Starts the threads on the port of the configuration. `takeTunnel`: serves a connection that leaves HTTP, from its
   * request on. Errors: the system's; a plain Error where it shares no ports.
   */
  async listen(takeTunnel: (socket: Duplex) => void): Promise<BoundPlace> {
    const { host, port } = this.#deps.listen
    this.#takeTunnel = takeTunnel
    try {
      return await this.#fleet.listen(await addressesOf(host), port)
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && UNSHARED.has(error.code))) throw error
      throw new Error(
        'http.threads: several threads need a port that they can share (SO_REUSEPORT), which this system does not have; set it to 1',
        { cause: error },
      )
    }
  }

  /** Has all threads go by these rules from the next request on. */
  replace({ auth, hosts, origins, accessLog }: ServedRules): void {
    this.#rules = { ...this.#rules, auth, hosts, origins, accessLog }
    this.#notify()
  }

  /** Has all threads take these hosts of members for this instance's own. */
  replaceMembers(hosts: ReadonlySet<string>): void {
    this.#rules = { ...this.#rules, members: [...hosts] }
    this.#notify()
  }

  /** Has new connections see another certificate. Errors: the system's where it cannot be used, and nothing changes. */
  setTls(tls: ListenerTls): void {
    checkCertificate(tls)
    this.#rules = { ...this.#rules, tls }
    this.#notify()
  }

  rows(): HttpThreadRow[] {
    return this.#fleet.rows()
  }

  /** The threads that run. */
  figures(): readonly HttpThreadFigures[] {
    return this.#fleet.figures(slot => this.#figures.get(slot)?.loopDelay.ms ?? 0)
  }

  /** The requests that the threads have answered themselves. */
  requests(): readonly NamedDurations[] {
    return [...this.#figures.values()].flatMap(({ durations }) => durations.rows())
  }

  /** Lines of their logs that never reached the main thread. */
  get logDropped(): number {
    return [...this.#figures.values()].reduce((sum, { logDropped }) => sum + logDropped.value, 0)
  }

  /** Ends the requests that are under way, and then the threads. */
  async close(): Promise<void> {
    await this.#fleet.close(LIMITS.httpCloseMs + LIMITS.workerStopMs)
    this.#removeFolder()
    process.off('exit', this.#removeFolder)
  }

  get #path(): string {
    return join(this.#folder ?? '', 'main')
  }

  #notify(): void {
    this.#fleet.notify({ kind: 'rules', rules: this.#rulesData() })
  }

  #rulesData(): HttpRulesData {
    return { ...this.#rules, tallies: this.tallies.memories() }
  }

  #dataOf(slot: number): ReturnType<HttpFleetOptions['dataOf']> {
    const { config, listen, pool, connectionsMax, draining, telemetry } = this.#deps
    const figures = this.#figures.get(slot) ?? new HttpFigures()
    const { bodyBytes, operationTimeoutMs } = config.limits
    return {
      slot,
      slots: this.#slots,
      pool,
      relay: { path: this.#path, secret: this.secret },
      rules: this.#rulesData(),
      isClosing: draining.aborted,
      listen,
      limits: { bodyBytes, operationTimeoutMs },
      headerBytesMax: headerBytesMaxOf(config),
      connectionsMax: Math.max(1, Math.floor(connectionsMax / DESCRIPTORS_OF_REQUEST / config.http.threads)),
      logLevel: config.logLevel,
      telemetry,
      figures: figures.memory,
    }
  }

  #lost(slot: number, error: Error | null): void {
    this.tallies.forgetPart(slot)
    this.#deps.onLost()
    this.#deps.log.error(
      { worker: this.#deps.config.ioWorkers + slot - 1, err: error },
      'an HTTP thread died: its connections are cut, leases stay, and another thread takes its place',
    )
  }
}

/** What one instance passes on to another is longer than what its caller has sent. */
export function headerBytesMaxOf({ fleet }: Config): number {
  return fleet === null ? LIMITS.httpHeaderBytesMax : LIMITS.forwardedHeaderBytesMax
}

/** Errors: the system's where it cannot be used. */
export function checkCertificate({ cert, key, clientCa: ca }: ListenerTls): void {
  // The server never listens: it finds what is wrong.
  createTlsServer({ cert, key, ...(ca !== undefined && { ca }) })
}

/** `localhost` is both of its addresses, the first of them first. */
async function addressesOf(host: string): Promise<readonly string[]> {
  if (host !== 'localhost') return [host]
  const found = await lookup(host, { all: true })
  return found.map(({ address }) => address)
}
