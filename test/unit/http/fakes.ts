/** Stand-ins for the pool below the HTTP app: real readers over memory, everything else recorded. */
import { createHash, randomBytes } from 'node:crypto'
import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify'
import { onTestFinished } from 'vitest'
import type { TextWrap } from '../../../src/base/answer-form.ts'
import { type GoneReason, SockpoolError } from '../../../src/base/errors.ts'
import type { InputPart, PartResult } from '../../../src/base/input-part.ts'
import { buildApp } from '../../../src/http/app.ts'
import type {
  AppDeps,
  ConnectionRow,
  LeasePort,
  ListenerPort,
  PoolPort,
  TargetRow,
  WriterPort,
} from '../../../src/http/ports.ts'
import type { ExchangeReply, ExchangeRequest } from '../../../src/pool/lease/exchange.ts'
import type { LeaseOptions } from '../../../src/pool/lease/lease-options.ts'
import { PoolNews } from '../../../src/pool/target/pool-news.ts'
import type { ControlResult } from '../../../src/pool/target/target-control.ts'
import type { AdHocTarget } from '../../../src/pool/target/target-pools.ts'
import { StreamReader } from '../../../src/streams/reading/stream-reader.ts'
import type { StartTlsOptions } from '../../../src/streams/writing/writer-options.ts'

export class FakeWriter implements WriterPort {
  readonly chunks: Buffer[] = []
  readonly calls: string[] = []
  #watchers: { readonly count: number; readonly resolve: () => void }[] = []
  offset = 0
  closing = false
  halfCloses = true
  /** What `drain` and `waitClosed` wait for. */
  room: Promise<void> = Promise.resolve()
  failWrite: Error | null = null
  failDrain: Error | null = null
  /** What broke the connection, as `waitClosed` tells. */
  brokenBy: Error | null = null

  get text(): string {
    return Buffer.concat(this.chunks).toString()
  }

  /** Resolves when so many calls were made in all. */
  called(count: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#watchers.push({ count, resolve })
    this.#wake()
    return promise
  }

  #record(call: string): void {
    this.calls.push(call)
    this.#wake()
  }

  #wake(): void {
    for (const { resolve } of this.#watchers.filter(({ count }) => count <= this.calls.length)) resolve()
    this.#watchers = this.#watchers.filter(({ count }) => count > this.calls.length)
  }

  writeLines(list: Iterable<string | Uint8Array>): void {
    for (const line of list) if (line.length > 0) this.#write(Buffer.from(line))
  }

  #write(bytes: Buffer): void {
    if (this.failWrite) throw this.failWrite
    if (this.closing) return
    this.chunks.push(bytes)
    this.offset += bytes.length
    this.#record('write')
  }

  async drain(): Promise<void> {
    this.#record('drain')
    if (this.failDrain) throw this.failDrain
    await this.room
  }

  canWriteEof(): boolean {
    return this.halfCloses
  }

  writeEof(): void {
    this.#record('writeEof')
  }

  abort(): void {
    this.calls.push('abort')
    this.#wake()
  }

  close(): void {
    this.closing = true
  }

  isClosing(): boolean {
    return this.closing
  }

  async waitClosed(): Promise<void> {
    this.#record('waitClosed')
    if (this.brokenBy) throw this.brokenBy
    await this.room
  }

  /** What `startTls` was asked for. */
  tls: StartTlsOptions | null = null
  failTls: Error | null = null

  async startTls(options: StartTlsOptions = {}): Promise<void> {
    this.tls = options
    this.#record('startTls')
    if (this.failTls) throw this.failTls
  }
}

export class FakeLease implements LeasePort {
  readonly id: string = randomBytes(32).toString('base64url')
  readonly target: string
  readonly reused = false
  expiresAt: Date | null = new Date(Date.UTC(2030, 0, 1))
  readonly connection: LeasePort['connection'] = {
    id: 'c1',
    localAddress: '127.0.0.1',
    localPort: 50_000,
    remoteAddress: '127.0.0.1',
    remotePort: 7,
    tls: null,
  }
  readonly reader: StreamReader = new StreamReader()
  readonly writer: FakeWriter = new FakeWriter()
  readonly ageMs = 12.5
  readonly idleMs = 3.5
  lastOperation: string | null = null
  gone: GoneReason | null = null
  readonly ended: Promise<GoneReason>
  readonly request: LeaseOptions
  replay = false
  renewedTo: number | undefined
  parsed: [string, object | undefined] | null = null
  #end: (reason: GoneReason) => void
  #onOperation: ((operation: { readonly ended: Promise<unknown> }) => void) | null = null

  constructor(target: string | AdHocTarget, request: LeaseOptions) {
    this.target = typeof target === 'string' ? target : `${target.host}:${target.port}`
    this.request = request
    const { promise, resolve } = Promise.withResolvers<GoneReason>()
    this.ended = promise
    this.#end = resolve
  }

  /** Resolves when the next operation has begun, with the promise of its end. */
  nextOperation(): Promise<{ readonly ended: Promise<unknown> }> {
    return new Promise(resolve => {
      this.#onOperation = resolve
    })
  }

  operation<T>(name: string, run: () => Promise<T>): Promise<T> {
    this.lastOperation = name
    const running = run()
    this.#onOperation?.({ ended: running.catch(() => undefined) })
    return running
  }

  /** It keeps nothing. */
  async readAt<T>(offset: number, read: (reader: StreamReader) => Promise<T>): Promise<T> {
    const at = this.reader.offset
    if (offset > at) throw new SockpoolError('OFFSET_MISMATCH', 'beyond', { offset: at })
    if (offset < at) throw new SockpoolError('OFFSET_GONE', 'before', { offset: at })
    return await read(this.reader)
  }

  renew(ttlMs?: number): Date | null {
    this.renewedTo = ttlMs
    return this.expiresAt
  }

  end(reason: GoneReason): void {
    this.gone = reason
    this.#end(reason)
  }

  kill(reason: GoneReason = 'killed'): void {
    this.end(reason)
  }

  async release(): Promise<ReleaseResult> {
    this.end('released')
    return { outcome: 'reused', reason: 'clean' }
  }

  async discard(): Promise<ReleaseResult> {
    this.end('released')
    return { outcome: 'closed', reason: 'discarded' }
  }

  async parseToText(
    format: string,
    wrapAt: (offset: number) => TextWrap,
    options?: object,
  ): Promise<Uint8Array> {
    this.parsed = [format, options]
    const wrap = wrapAt(this.reader.offset)
    const line = await this.reader.readLine()
    return wrapped(wrap, [line.toString().trim()])
  }
}

type Listened = Parameters<PoolPort['listenForLeases']>

/** A listener whose next connection is there at once. */
export class FakeListener implements ListenerPort {
  readonly place: Listened[0]
  readonly spec: Listened[1]
  readonly options: Listened[2]
  readonly backlog: number
  readonly maxConnections: number | null
  readonly expiresAt: Date = new Date(Date.UTC(2030, 0, 1))
  readonly ended: ListenerPort['ended']
  readonly closes: unknown[][] = []
  failure: unknown = null
  /** What `accept` was asked for, and the leases that it gave. */
  readonly calls: Parameters<ListenerPort['accept']>[0][] = []
  readonly leases: FakeLease[] = []
  #end: (reason: Awaited<ListenerPort['ended']>) => void

  constructor(...[place, spec, options]: Listened) {
    this.place = place
    this.spec = spec
    this.options = options
    this.backlog = options.backlog
    this.maxConnections = options.maxConnections
    const { promise, resolve } = Promise.withResolvers<Awaited<ListenerPort['ended']>>()
    this.ended = promise
    this.#end = resolve
  }

  get address(): ListenerPort['address'] {
    return { address: this.place.host, port: 4_321, family: 'IPv4' }
  }

  async accept(...[request]: Parameters<ListenerPort['accept']>): Promise<FakeLease> {
    this.calls.push(request)
    if (this.failure) throw this.failure
    const lease = new FakeLease('listener 127.0.0.1:4321', {})
    this.leases.push(lease)
    return lease
  }

  async close(...asked: Parameters<ListenerPort['close']>): ReturnType<ListenerPort['close']> {
    this.closes.push(asked)
    this.#end('closed')
    return { dropped: 1, leased: 2 }
  }

  stats(): ReturnType<ListenerPort['stats']> {
    return { waiting: 1, leased: 2, calls: 0, accepted: 3, refused: 4 }
  }
}

function wrapped({ before, between, end, after }: TextWrap, values: readonly string[]): Uint8Array {
  return Buffer.from(`${before}${values.map(value => `${value}${end}`).join(between)}${after}`)
}

/** Where no fault is expected: a rejection that nobody handles fails the test run. */
export const onFault = (error: unknown): void => {
  throw error
}

type ReleaseResult = Awaited<ReturnType<LeasePort['release']>>
type Exchanged = ExchangeRequest & { readonly target: string | AdHocTarget }

/** A row about a target; by default one of the configuration that nobody uses. */
export function targetRow(name: string, facts: Partial<TargetRow> = {}): TargetRow {
  const connections = { connecting: 0, idle: 0, leased: 0, closing: 0, max: 1 }
  return { name, tenant: null, waiters: 0, connections, ...facts }
}

export class FakePool implements PoolPort {
  readonly leases: FakeLease[] = []
  readonly news: PoolNews = new PoolNews()
  readonly targetsLeased: (string | AdHocTarget)[] = []
  readonly exchanges: Exchanged[] = []
  readonly parses: [string, string, object | undefined][] = []
  /** Whether its formats have to see all of an input at once. */
  seesWhole = false
  readonly parts: [string, string, object | undefined][] = []
  ready = true
  failure: unknown = null
  reply: ExchangeReply = { data: Buffer.from('pong\n'), reused: true, offset: 0, eof: false, ending: null }
  /** What `lease` waits for. */
  free: Promise<void> = Promise.resolve()
  targetRows: TargetRow[] = [targetRow('cache'), targetRow('other')]
  connectionRows: ConnectionRow[] = []
  readonly forwards: PoolPort['forwards'] = {
    stats: () => [],
    leases: { rows: () => [], kill: () => false },
  }

  #onLease: ((request: LeaseOptions) => void) | null = null

  /** Resolves with what the next call of `lease` asks for. */
  nextLease(): Promise<LeaseOptions> {
    return new Promise(resolve => {
      this.#onLease = resolve
    })
  }

  async lease(target: string | AdHocTarget, request: LeaseOptions = {}): Promise<FakeLease> {
    if (this.failure) throw this.failure
    this.targetsLeased.push(target)
    this.#onLease?.(request)
    const { promise: gone, reject } = Promise.withResolvers<never>()
    request.signal?.addEventListener('abort', () => reject(new SockpoolError('ABORTED', 'aborted')))
    await Promise.race([this.free, gone])
    const lease = new FakeLease(target, request)
    this.leases.push(lease)
    return lease
  }

  /** What was asked for, and the listener that it became. */
  readonly listeners: FakeListener[] = []

  async listenForLeases(
    ...[place, spec, options]: Parameters<PoolPort['listenForLeases']>
  ): Promise<FakeListener> {
    if (this.failure) throw this.failure
    const listener = new FakeListener(place, spec, options)
    this.listeners.push(listener)
    return listener
  }

  async exchange(target: string | AdHocTarget, request: ExchangeRequest): Promise<ExchangeReply> {
    if (this.failure) throw this.failure
    this.exchanges.push({ target, ...request })
    return this.reply
  }

  async parseToText(
    format: string,
    bytes: Uint8Array,
    wrap: TextWrap,
    options?: object,
  ): Promise<Uint8Array> {
    if (this.failure) throw this.failure
    this.parses.push([format, Buffer.from(bytes).toString(), options])
    return wrapped(wrap, ['{"a":1}', '[2]', '"x"'])
  }

  async parsePart(format: string, part: InputPart, options?: object): Promise<PartResult> {
    if (this.failure) throw this.failure
    const { pieces, offset, isLast } = part
    this.parts.push([format, Buffer.concat(pieces).toString(), options])
    if (this.seesWhole) return { kind: 'whole', rest: part }
    const texts = isLast ? [Buffer.from('{"a":1}\n[2]\n"x"\n')] : []
    const rest = { pieces: isLast ? [] : pieces, offset, seen: null }
    return { kind: 'values', texts, count: 3, rest, hasMore: false, failure: null }
  }

  checkFormat(format: string): void {
    if (format === 'toml') throw new SockpoolError('FORMAT_NOT_FOUND', 'no such format')
  }

  /** The verbs that were called, with what they were given. */
  readonly verbs: unknown[][] = []

  #done(...verb: unknown[]): Promise<ControlResult> {
    if (this.failure) return Promise.reject(this.failure)
    this.verbs.push(verb)
    return Promise.resolve({ state: 'active', closed: 1, refused: 2, leased: 3, waiters: 4 })
  }

  pause(target: string, options: object = {}): Promise<ControlResult> {
    return this.#done('pause', target, options)
  }

  resume(target: string): Promise<ControlResult> {
    return this.#done('resume', target)
  }

  disable(target: string): Promise<ControlResult> {
    return this.#done('disable', target)
  }

  enable(target: string): Promise<ControlResult> {
    return this.#done('enable', target)
  }

  drain(target: string, options: object = {}): Promise<ControlResult> {
    return this.#done('drain', target, options)
  }

  reconnect(target: string): Promise<ControlResult> {
    return this.#done('reconnect', target)
  }

  waitClose(target: string, options: object = {}): Promise<ControlResult> {
    return this.#done('waitClose', target, options)
  }

  resize(target: string, changes: object): Promise<ControlResult> {
    return this.#done('resize', target, changes)
  }

  async drainWorker(...given: Parameters<PoolPort['drainWorker']>): ReturnType<PoolPort['drainWorker']> {
    this.verbs.push(['drainWorker', ...given])
    if (this.failure) throw this.failure
    return { id: given[0], threadId: 7, closed: 1, leased: 2 }
  }

  async kill(id: string): Promise<{ readonly killed: 'connection' | 'lease' }> {
    await this.#done('kill', id)
    return { killed: 'connection' }
  }

  targets(): readonly TargetRow[] {
    return this.targetRows
  }

  connections(): readonly ConnectionRow[] {
    return this.connectionRows
  }

  async workers(): Promise<readonly object[]> {
    return [{ id: 0, threadId: 3, dialled: 7 }]
  }

  connection(id: string): ReturnType<PoolPort['connection']> {
    const row = this.connectionRows.find(known => known.id === id)
    if (row === undefined) throw new SockpoolError('CONNECTION_NOT_FOUND', 'no connection has this id')
    return { ...row, operations: [OPERATION] }
  }

  stats(): ReturnType<PoolPort['stats']> {
    return STATS
  }
}

export const OPERATION = {
  name: 'readline',
  at: '2026-01-02T03:04:05.678Z',
  ms: 1.5,
  bytesIn: 6,
  bytesOut: 0,
  outcome: 'ok',
}

export const STATS: ReturnType<PoolPort['stats']> = {
  leases: 1,
  waiters: 0,
  connections: { connecting: 0, idle: 0, leased: 1, multiplexed: 0, quarantined: 0, closing: 0 },
  targets: 2,
  parse: { workers: 1, busy: 0, queued: 0, inPlace: 0, long: [] },
  memory: { rss: 3, heapUsed: 2, ringBytes: 1 },
  uptimeMs: 4,
}

export const OPS_TOKEN = 'ops-token'
export const DEV_TOKEN = 'dev-token'

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

export const TOKENS: { readonly tokens: NonNullable<AppDeps['auth']>['tokens'] } = {
  tokens: [
    { name: 'ops', sha256: sha256(OPS_TOKEN), targets: ['*'], admin: true },
    { name: 'dev', sha256: sha256(DEV_TOKEN), targets: ['cache*', 'd*o'], admin: false },
  ],
}

export interface Harness {
  readonly app: FastifyInstance
  readonly pool: FakePool
  /** The log, line by line as parsed JSON, and as it was written. */
  readonly log: string[]
  /** Injects a request as `ops`, to the right Host, and gives the parsed JSON with it. */
  send(options: InjectOptions): Promise<LightMyRequestResponse & { json<T = Record<string, unknown>>(): T }>
  /** Leases `cache` as `ops` and gives the fake. */
  lease(target?: string): Promise<FakeLease>
}

/** The app over a fake pool, closed when the test is over. */
const COUNTS = { added: 1, changed: 2, removed: 3, unchanged: 4 }

/** What a reload comes to here. */
export const RELOADED: Awaited<ReturnType<AppDeps['reload']>> = {
  targets: COUNTS,
  tokens: COUNTS,
  forwards: COUNTS,
  leasesEnded: 5,
  connectionsRetired: 6,
  listenersClosed: 7,
  ignored: ['listen'],
}

export function harness(deps: Partial<AppDeps> = {}): Harness {
  const pool = (deps.pool ?? new FakePool()) as FakePool
  const log: string[] = []
  const app = buildApp({
    auth: TOKENS,
    listen: { kind: 'tcp', host: '127.0.0.1', port: 7070 },
    hosts: [],
    origins: [],
    tls: false,
    limits: { bodyBytes: 100_000, operationTimeoutMs: 5_000 },
    version: '1.2.3',
    metrics: { page: contentType => Promise.resolve({ contentType, text: '' }) },
    mayListen: place => (place.host === '127.0.0.1' ? place : null),
    isClosing: () => false,
    reload: () => RELOADED,
    accessLog: () => 'all',
    log: { level: 'info', stream: { write: line => void log.push(line) } },
    ...deps,
    pool,
  })
  onTestFinished(() => app.close())
  const send: Harness['send'] = options =>
    app.inject({
      ...options,
      headers: { host: '127.0.0.1:7070', authorization: `Bearer ${OPS_TOKEN}`, ...options.headers },
    })
  const lease = async (target = 'cache'): Promise<FakeLease> => {
    await send({ method: 'POST', url: '/v1/leases', payload: { target } })
    const made = pool.leases.at(-1)
    if (!made) throw new Error('no lease was made')
    return made
  }
  return { app, pool, log, send, lease }
}
