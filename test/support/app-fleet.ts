/**
 * Several instances in one process: each a real app over a pool of its own, at a port of its own, and a fleet that the test
 * speaks for. Whose an id is, and whether its owner serves, is what the test says.
 */
import { randomBytes } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { onTestFinished } from 'vitest'
import { hashToken } from '../../src/config/token-file.ts'
import { buildApp } from '../../src/http/app.ts'
import type { AppDeps, FleetPort, FleetRows, IdOwner } from '../../src/http/ports.ts'
import type { PoolOptions } from '../../src/library/pool-options.ts'
import type { Pool } from '../../src/pool/pool.ts'
import { Api, type HeldLease, type Target } from './api.ts'
import { openServicePool } from './pool-fixture.ts'

export const FLEET_TOKEN = 'the-token-of-ops'
export const FLEET_SECRET = 'a-secret-of-all-instances-of-this-fleet'

/** What all instances know of each other. */
export class FleetWords {
  readonly owners = new Map<string, string>()
  readonly origins = new Map<string, string>()
  readonly states = new Map<string, 'unreachable' | 'lost'>()
  readonly hosts = new Set<string>()
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

  get hosts(): ReadonlySet<string> {
    return this.words.hosts
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
  /** How its calls of others came out, in their order. */
  readonly results: readonly string[]
  /** What it has logged. */
  readonly log: { readonly text: string; readonly requests: readonly Readonly<Record<string, unknown>>[] }
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
}

const OPS = { name: 'ops', sha256: hashToken(FLEET_TOKEN), targets: ['*'], admin: true }

/** An instance, until the test is over. */
export async function startInstance(
  name: string,
  words: FleetWords,
  traits: InstanceTraits = {},
): Promise<Instance> {
  const { targets = {}, auth = { tokens: [OPS] }, tls = false, fleetTls, origins = [], mayListen } = traits
  const pool = openServicePool({ targets, ioWorkers: 1 })
  const fleet = new FakeFleet(name, words, fleetTls)
  const lines: string[] = []
  const results: string[] = []
  const app = buildApp({
    pool,
    auth,
    fleet,
    tls,
    origins,
    listen: { kind: 'tcp', host: '127.0.0.1', port: 0 },
    hosts: [],
    limits: { bodyBytes: 16_777_216, operationTimeoutMs: 30_000 },
    version: '0.0.0',
    metrics: { page: contentType => Promise.resolve({ contentType, text: '' }) },
    mayListen: mayListen ?? (() => null),
    isClosing: () => false,
    reload: () => {
      throw new Error('nothing is read anew here')
    },
    accessLog: () => 'all',
    forwarded: { count: result => void results.push(result) },
    log: { level: 'info', stream: { write: line => void lines.push(line) } },
  })
  const close = once(async () => {
    app.server.closeAllConnections()
    await app.close()
  })
  onTestFinished(close)
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  const url = `${tls === false ? 'http' : 'https'}://127.0.0.1:${port}`
  words.origins.set(name, url)
  return {
    ...{ name, fleet, pool, app, url, port, results },
    api: new Api(url, auth === null ? null : FLEET_TOKEN),
    log: {
      get text() {
        return lines.join('')
      },
      get requests() {
        return lines
          .map(line => JSON.parse(line) as Record<string, unknown>)
          .filter(({ msg }) => msg === 'request')
      },
    },
    cut: close,
  }
}

/** A lease that `owner` holds, for whoever asks `other`. */
export async function leaseThrough(owner: Instance, other: Instance, target: Target): Promise<HeldLease> {
  const { view } = await owner.api.lease(target, { replay: true })
  owner.fleet.words.owners.set(view.id, owner.name)
  return other.api.held(view)
}

function once(run: () => Promise<void>): () => Promise<void> {
  let ran: Promise<void> | null = null
  return () => {
    ran ??= run()
    return ran
  }
}
