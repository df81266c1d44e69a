/**
 * A real Redis that is stopped and started again, and that ends connections at random, while callers lease its connections and
 * share them: only calls under way fail, nobody hears a wrong answer, and the pool signs in again by itself.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { createPool } from '../../src/library/create-pool.ts'
import type { Pool } from '../../src/pool/pool.ts'
import { Random } from '../support/fence-random.ts'
import { until } from '../support/until.ts'
import { Findings, type PlayReport, type PlayWatch } from './findings.ts'
import { LawWatch } from './law-watch.ts'
import { CALLERS, REDIS_TARGETS, RedisCallers, type RedisTarget } from './redis-callers.ts'
import { RedisServer } from './redis-server.ts'

export type RedisScale = {
  readonly seed: number
  /** How often connections are killed, and then the server stopped. */
  readonly rounds: number
  readonly kills: number
  readonly downMs: number
  /** Calls that are served between two troubles. */
  readonly callsBetween: number
  /** Milliseconds that the breaker is open for. */
  readonly openForMs: number
}

const PASSWORD = 'canary-in-the-coal-mine'
const MAX: Readonly<Record<RedisTarget, number>> = { leased: 8, shared: 2 }
const IN_FLIGHT = 8
const STEP_MS = 30_000
/** Milliseconds between two kills, the mean. */
const KILL_PAUSE_MS = 4

export async function redis(scale: RedisScale, watched: PlayWatch = () => {}): Promise<PlayReport> {
  const findings = new Findings()
  findings.set('seed', scale.seed)
  const server = await RedisServer.start(PASSWORD)
  const pool = await openPool(server, scale)
  const watch = new LawWatch(pool, findings)
  const callers = new RedisCallers(pool, findings)
  const troubles = new Troubles({ server, pool, callers, findings, scale })
  try {
    callers.begin()
    for (let round = 0; round < scale.rounds && !findings.hasViolations; round++) {
      watched(round, scale.rounds)
      await troubles.calm()
      await troubles.kills()
      await troubles.calm()
      await troubles.down(round % 2 === 0 ? 'SIGTERM' : 'SIGKILL')
    }
    await troubles.calm()
  } catch (error) {
    findings.violate(`at ${callers.trouble}: ${String(error)}`)
  } finally {
    await callers.end()
    watch.stop()
    await pool.close()
    await server.stop('SIGTERM')
  }
  return findings.report('redis')
}

function openPool({ host, port }: RedisServer, { openForMs }: RedisScale): Promise<Pool> {
  const it = {
    host,
    port,
    preset: { redis: { password: PASSWORD } },
    breaker: { failures: 5, openForMs },
  } as const
  return createPool({
    ioWorkers: 2,
    targets: {
      leased: { ...it, pool: { max: MAX.leased } },
      shared: {
        ...{ ...it, pool: { max: MAX.shared } },
        multiplex: { connections: MAX.shared, inFlight: IN_FLIGHT },
      },
    },
  })
}

type TroublesDeps = {
  readonly server: RedisServer
  readonly pool: Pool
  readonly callers: RedisCallers
  readonly findings: Findings
  readonly scale: RedisScale
}

class Troubles {
  readonly #deps: TroublesDeps
  readonly #random: Random

  constructor(deps: TroublesDeps) {
    this.#deps = deps
    this.#random = new Random(deps.scale.seed)
  }

  /** Nothing happens to the server, and every call is served. */
  async calm(): Promise<void> {
    const { callers, scale } = this.#deps
    callers.trouble = 'none'
    for (const target of REDIS_TARGETS) await this.#served(target, scale.callsBetween)
  }

  /** Connections are ended by the server, each at a time when a call may be on it. */
  async kills(): Promise<void> {
    const { server, pool, callers, findings, scale } = this.#deps
    const operator = await server.operator()
    callers.trouble = 'kills'
    const before = this.#cut()
    const killed: Record<RedisTarget, number> = { leased: 0, shared: 0 }
    const ports = new Set<number>()
    for (let count = 0; count < scale.kills; count++) {
      await sleep(this.#random.next() * 2 * KILL_PAUSE_MS)
      const all = pool.connections()
      const victim = all[this.#random.below(all.length)]
      if (victim === undefined || !(await operator.kill(victim.localPort))) continue
      killed[victim.target as RedisTarget]++
      ports.add(victim.localPort)
      findings.count(`${victim.target}: killed`)
    }
    operator.close()
    await until(
      'the killed ones are gone',
      () => !pool.connections().some(({ localPort }) => ports.has(localPort)),
    )
    for (const target of REDIS_TARGETS) await this.#served(target, CALLERS[target])
    // A lease has one call, and a shared connection has as many as it has room for.
    this.#notMore('leased', before, killed.leased)
    this.#notMore('shared', before, killed.shared * IN_FLIGHT)
  }

  async down(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const { server, callers, findings, scale } = this.#deps
    callers.trouble = 'down'
    const before = this.#cut()
    await server.stop(signal)
    await sleep(scale.downMs)
    findings.count('stops')
    const states = this.#breakers()
    if (states.includes('closed')) findings.violate(`the breakers of a server that is down are ${states}`)
    // Whoever failed may meet another connection whose end is not seen yet.
    for (const target of REDIS_TARGETS)
      this.#notMore(target, before, CALLERS[target] + MAX[target] * IN_FLIGHT)
    await server.start()
    const startedMs = performance.now()
    await until('the breakers are closed', () => this.#breakers().every(state => state === 'closed'), STEP_MS)
    for (const target of REDIS_TARGETS) await this.#served(target, CALLERS[target])
    findings.most('ms until all was served again', performance.now() - startedMs)
  }

  #breakers(): readonly string[] {
    return this.#deps.pool.targets().map(({ breaker }) => breaker)
  }

  /** Calls so far that their connection ended under. */
  #cut(): Readonly<Record<RedisTarget, number>> {
    const { findings } = this.#deps
    return { leased: findings.of('leased: cut'), shared: findings.of('shared: cut') }
  }

  #notMore(target: RedisTarget, before: Readonly<Record<RedisTarget, number>>, bound: number): void {
    const cut = this.#cut()[target] - before[target]
    if (cut > bound) this.#deps.findings.violate(`${cut} calls of ${target} were cut, and ${bound} could be`)
  }

  async #served(target: RedisTarget, count: number): Promise<void> {
    const { findings } = this.#deps
    const name = `${target}: served`
    const before = findings.of(name)
    await until(`${target} is served`, () => findings.of(name) >= before + count, STEP_MS)
  }
}
