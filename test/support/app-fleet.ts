/**
 * Several instances in one process: each a real app over a pool of its own, at a port of its own, and a fleet that the test
 * speaks for. Whose an id is, and whether its owner serves, is what the test says.
 */
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import { pino } from 'pino'
import { onTestFinished } from 'vitest'
import type { FleetRows, IdOwner } from '../../src/base/fleet-data.ts'
import { LIMITS } from '../../src/base/limits.ts'
import type { Config } from '../../src/config/config.ts'
import { loadConfig } from '../../src/config/load.ts'
import { hashToken } from '../../src/config/token-file.ts'
import { buildApp } from '../../src/http/app.ts'
import { LiveDoor } from '../../src/http/door/live-door.ts'
import type { AppDeps, FleetPort } from '../../src/http/ports.ts'
import type { PoolOptions } from '../../src/library/pool-options.ts'
import type { Pool } from '../../src/pool/pool.ts'
import { HttpThreads } from '../../src/service/http-threads.ts'
import { listen } from '../../src/service/listening.ts'
import { Api, type HeldLease } from './api.ts'
import { watchLeaks } from './leak-watch.ts'
import { openServicePool } from './pool-fixture.ts'
import { type Peer, startUpstream, type Upstream } from './upstream.ts'

export const FLEET_TOKEN = 'the-token-of-ops'
export const FLEET_SECRET = 'a-secret-of-all-instances-of-this-fleet'

/** What all instances know of each other. */
export class FleetWords {
  readonly owners: Map<string, string> = new Map()
  readonly origins: Map<string, string> = new Map()
  readonly states: Map<string, 'unreachable' | 'lost'> = new Map()
  readonly hosts: Set<string> = new Set()
}

export class FakeFleet implements FleetPort {
  readonly state = 'joined'
  readonly name: string
  readonly tls: FleetPort['tls']
  readonly words: FleetWords
  secret: string | null = FLEET_SECRET
  /** How often it was asked whose an id is. */
  asked = 0

  constructor(name: string, words: FleetWords, tls?: FleetPort['tls']) {
    this.name = name
    this.words = words
    this.tls = tls
  }

  get secrets(): readonly string[] {
    return this.secret === null ? [] : [this.secret]
  }

  ownerOf(id: string): IdOwner {
    this.asked++
    const { owners, states, origins } = this.words
    const name = owners.get(id)
    if (name === undefined || name === this.name) return { kind: 'own' }
    const state = states.get(name)
    if (state === 'lost') return { kind: 'lost', name }
    if (state === 'unreachable') return { kind: 'unreachable', name, retryAfterMs: 7_000 }
    return { kind: 'other', name, origin: origins.get(name) ?? '' }
  }

  newId(): string {
    const id = `${this.name}.${randomBytes(16).toString('base64url')}`
    this.words.owners.set(id, this.name)
    return id
  }

  async rows(): Promise<FleetRows> {
    return { instances: [], caps: {} }
  }
}

export type Instance = {
  readonly name: string
  readonly fleet: FakeFleet
  readonly pool: Pool
  readonly app: FastifyInstance
  readonly api: Api
  readonly url: string
  readonly port: number
  /** Connections that have left HTTP, or asked to. */
  readonly upgraded: readonly Duplex[]
  /** How its calls of others came out, in their order. */
  readonly results: readonly string[]
  /** What it has logged. */
  readonly log: { readonly text: string; readonly requests: readonly Readonly<Record<string, unknown>>[] }
  /** Has its threads hear which hosts the members have by now. */
  tellMembers(): void
  /** Ends it as a crash would. */
  cut(): Promise<void>
}

export type InstanceTraits = {
  readonly targets?: PoolOptions['targets']
  readonly auth?: AppDeps['auth']
  readonly tls?: AppDeps['tls']
  readonly fleetTls?: FleetPort['tls']
  readonly origins?: readonly string[]
  readonly mayListen?: AppDeps['mayListen']
  /** That serve HTTP; default: the main thread alone. */
  readonly threads?: number
}

const OPS = { name: 'ops', sha256: hashToken(FLEET_TOKEN), targets: ['*'], admin: true }

/** An instance, until the test is over. */
export async function startInstance(
  name: string,
  words: FleetWords,
  traits: InstanceTraits = {},
): Promise<Instance> {
  const { targets = {}, auth = { tokens: [OPS] }, tls = false, fleetTls, threads: count = 1 } = traits
  const pool = openServicePool({ targets, ioWorkers: 1 })
  const fleet = new FakeFleet(name, words, fleetTls)
  const lines: string[] = []
  const results: string[] = []
  const write = (text: string): void => void lines.push(...text.split('\n').filter(line => line !== ''))
  const config = await configOf(name, { auth, tls, threads: count })
  const threads = count === 1 ? null : threadsOf(config, pool, write)
  const deps: AppDeps = {
    ...depsOf(pool, traits),
    ...{ auth, fleet, members: words.hosts, tls, headerBytesMax: LIMITS.forwardedHeaderBytesMax },
    forwarded: { count: result => void results.push(result) },
    log: { level: 'info', stream: { write } },
    ...(threads && { tallies: threads.tallies, relaySecret: threads.secret }),
  }
  const door = new LiveDoor(deps)
  const app = buildApp(deps, door)
  const upgraded: Duplex[] = []
  app.server.on('upgrade', (_request, socket: Duplex) => upgraded.push(socket))
  const close = once(async () => {
    await threads?.close()
    app.server.closeAllConnections()
    await app.close()
  })
  onTestFinished(close)
  const { own } = await listen(app, threads, config, door)
  const { port = 0 } = own[0] ?? {}
  const url = `${tls === false ? 'http' : 'https'}://127.0.0.1:${port}`
  words.origins.set(name, url)
  return {
    ...{ name, fleet, pool, app, url, port, results, upgraded },
    api: new Api(url, auth === null ? null : FLEET_TOKEN),
    log: {
      get text() {
        return lines.join('\n')
      },
      get requests() {
        return lines
          .map(line => JSON.parse(line) as Record<string, unknown>)
          .filter(({ msg }) => msg === 'request')
      },
    },
    tellMembers: () => threads?.replaceMembers(words.hosts),
    cut: close,
  }
}

function depsOf(
  pool: Pool,
  { origins = [], mayListen = () => null }: InstanceTraits,
): Omit<AppDeps, 'auth' | 'tls' | 'log'> {
  return {
    pool,
    origins,
    mayListen,
    listen: { kind: 'tcp', host: '127.0.0.1', port: 0 },
    hosts: [],
    limits: { bodyBytes: 16_777_216, operationTimeoutMs: 30_000 },
    version: '0.0.0',
    metrics: { page: contentType => Promise.resolve({ contentType, text: '' }) },
    isClosing: () => false,
    reload: () => {
      throw new Error('nothing is read anew here')
    },
    accessLog: () => 'all',
  }
}

/** What a service would have been started with. */
async function configOf(
  name: string,
  { auth, tls, threads }: Pick<AppDeps, 'auth' | 'tls'> & { readonly threads: number },
): Promise<Config> {
  const folder = await mkdtemp(join(tmpdir(), 'sockpool-fleet-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const file = join(folder, 'sockpool.yaml')
  const fleet = { url: 'redis://127.0.0.1:6379', name, advertise: `http://${name}.example:7070` }
  const http = { threads, accessLog: 'all' }
  await writeFile(file, JSON.stringify({ listen: '127.0.0.1:0', fleet, http, ...(auth && { auth }) }))
  const config = loadConfig({ file, flags: auth === null ? { noAuth: true } : {}, environment: {} })
  return { ...config, http: { ...config.http, tls: tls === false ? null : tls } }
}

function threadsOf(config: Config, pool: Pool, write: (text: string) => void): HttpThreads {
  const { listen: place, auth } = config
  if (place.kind !== 'tcp') throw new Error('it listens on TCP')
  return new HttpThreads({
    ...{ config, auth, listen: place, pool: pool.handle, connectionsMax: 1_000, sink: { write } },
    telemetry: { traces: 'off' },
    draining: new AbortController().signal,
    log: pino({ level: 'silent' }),
    onLost: () => {},
  })
}

export type FleetScene = {
  readonly words: FleetWords
  readonly upstream: Upstream
  /** It holds the leases. */
  readonly owner: Instance
  /** It is asked. */
  readonly other: Instance
  /** A lease of the owner's, for whoever asks the other; and the peer of its connection. */
  leased(): Promise<{ readonly lease: HeldLease; readonly peer: Peer }>
}

/** Two instances with one target, `peer`, that the test speaks for. */
export async function startFleetScene(traits: InstanceTraits = {}): Promise<FleetScene> {
  watchLeaks()
  const upstream = await startUpstream()
  onTestFinished(() => upstream.close())
  const words = new FleetWords()
  const { host, port } = upstream
  const targets = { peer: { host, port, reuse: 'clean' as const } }
  const owner = await startInstance('owner', words, { targets, ...traits })
  const other = await startInstance('other', words, { targets, ...traits })
  return {
    ...{ words, upstream, owner, other },
    leased: async () => {
      const { view } = await owner.api.lease('peer', { replay: true })
      words.owners.set(view.id, 'owner')
      return { lease: other.api.held(view), peer: await upstream.from(view.connection.localPort) }
    },
  }
}

function once(run: () => Promise<void>): () => Promise<void> {
  let ran: Promise<void> | null = null
  return () => {
    ran ??= run()
    return ran
  }
}
