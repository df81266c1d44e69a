/** All that a play needs: an engine, an upstream, and the instances of a fleet before it. */
import { createHash, randomBytes } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { RedisServer } from '../soak/redis-server.ts'
import { freePorts } from './free-ports.ts'
import { Guarded } from './guarded.ts'
import { Instance } from './instance.ts'
import { UpstreamProcess } from './upstream-process.ts'

/** The one target, which the fleet has a cap for. */
export const TARGET = 'line'

export type FieldOptions = {
  readonly instances: number
  /** Connections of all instances together. */
  readonly cap: number
  /** Instances that stand alone instead, with the cap as the maximum of each; default: none. */
  readonly alone?: number
  /** A folder for the logs of all instances; default: they are not kept. */
  readonly logs?: string
}

export class Field {
  readonly cap: number
  readonly token: string
  readonly engine: RedisServer
  readonly upstream: UpstreamProcess
  /** The members of the fleet. */
  readonly instances: readonly Instance[]
  /** Those that know of no other. */
  readonly alone: readonly Instance[]
  readonly #guarded: Guarded

  private constructor(
    { cap, instances, alone = 0, logs }: FieldOptions,
    guarded: Guarded,
    engine: RedisServer,
    upstream: UpstreamProcess,
    ports: readonly number[],
  ) {
    this.cap = cap
    this.engine = engine
    this.upstream = upstream
    this.#guarded = guarded
    this.token = randomBytes(32).toString('base64url')
    const secrets = { password: ENGINE_PASSWORD, secret: randomBytes(32).toString('base64url') }
    const made = Array.from({ length: instances + alone }, (_, index) => {
      const place = { index, port: ports[index] ?? 0, upstreamPort: upstream.ports[index] ?? 0 }
      const name = index < instances ? `i${index + 1}` : `alone${index - instances + 1}`
      const fleet = {
        url: `redis://:${secrets.password}@${engine.host}:${engine.port}`,
        name,
        advertise: `http://127.0.0.1:${place.port}`,
        caps: { [TARGET]: cap },
        expected: instances,
        secret: secrets.secret,
      }
      const config = { ...this.#config(place.upstreamPort), ...(index < instances && { fleet }) }
      return new Instance({ guarded, name, ...place, config, ...(logs !== undefined && { logs }) })
    })
    this.instances = made.slice(0, instances)
    this.alone = made.slice(instances)
  }

  /** Resolves when all of them serve. */
  static async open(options: FieldOptions): Promise<Field> {
    const guarded = await Guarded.open()
    const count = options.instances + (options.alone ?? 0)
    const engine = await RedisServer.start(ENGINE_PASSWORD, child => guarded.watch(child))
    const upstream = await UpstreamProcess.start({ ports: count })
    guarded.watch(upstream.process)
    const field = new Field(options, guarded, engine, upstream, await freePorts(count))
    try {
      await field.#start()
      return field
    } catch (error) {
      await field.abandon()
      throw error
    }
  }

  /** Ends all in order. What went wrong with that. */
  async close(): Promise<readonly string[]> {
    const faults: string[] = []
    for (const instance of this.#all) instance.thaw()
    const ends = this.#all.map(async instance => {
      const code = await instance.stop()
      if (code !== 0) faults.push(`${instance.name} ended with ${code}: ${instance.log}`)
    })
    await Promise.all(ends)
    await this.abandon()
    return faults
  }

  /** Ends all at once. */
  async abandon(): Promise<void> {
    await Promise.all(this.#all.map(instance => instance.kill()))
    await this.engine.stop('SIGKILL')
    await this.upstream.close()
    await this.#guarded.close()
  }

  /** A few at a time: more at once are started no sooner, and each of them later. */
  async #start(): Promise<void> {
    const left = this.#all.values()
    const starter = async (): Promise<void> => {
      for (const instance of left) await instance.start()
    }
    await Promise.all(Array.from({ length: availableParallelism() }, starter))
  }

  get #all(): readonly Instance[] {
    return [...this.instances, ...this.alone]
  }

  #config(upstreamPort: number): object {
    const sha256 = createHash('sha256').update(this.token).digest('hex')
    const pool = {
      max: this.cap,
      waitTimeout: '5s',
      leaseTtl: '10s',
      connectTimeout: '5s',
      idleTimeout: '10m',
    }
    return {
      ioWorkers: 1,
      auth: { tokens: [{ name: 'play', sha256, targets: ['*'], admin: true }] },
      // Who stops in order waits no longer than this for those that hold leases.
      limits: { drainTimeout: '4s' },
      targets: { [TARGET]: { host: '127.0.0.1', port: upstreamPort, reuse: 'clean', pool } },
    }
  }
}

const ENGINE_PASSWORD = randomBytes(16).toString('hex')
