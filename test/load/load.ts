/** The service under load: what its quiet callers see alone and beside the attackers, and what it keeps afterwards. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { Child } from '../bench/child.ts'
import { quantile } from '../bench/rounds.ts'
import { CLI } from '../support/service-process.ts'
import type { AttackOrder } from './attackers.ts'
import type { PeerPorts } from './peers.ts'
import type { QuietOrder, QuietResult } from './quiet-callers.ts'

const DESCRIPTORS = 1_024
const HEAP_MIB = 2_048
const QUIET_CALLERS = 50
/** How much worse the quiet ones may fare, and how much more memory may stay. */
const P99_RATIO_MAX = 2
const RSS_RATIO_MAX = 1.2
/** Milliseconds in which the memory is to come back. */
const RECOVERY_MS = 60_000
const SIGNALS = ['SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const

export type LoadOutcome = { readonly lines: readonly string[]; readonly missed: readonly string[] }

export type LoadOrder = {
  readonly forMs: number
  /** The one attacker who is to work, by name. Default: all, with the signals and the log that nobody reads. */
  readonly only?: string
  /**
   * Whom the quiet ones ask beside the attack. `another`: a service of the same kind that nobody attacks, so that only the
   * processors are shared: what it does to them is the machine's doing.
   */
  readonly asked?: 'attacked' | 'another'
}

export async function underLoad({ forMs, only, asked = 'attacked' }: LoadOrder): Promise<LoadOutcome> {
  const peers = new Child('../load/peers.ts')
  const quiet = new Child('../load/quiet-callers.ts')
  const attackers = new Child('../load/attackers.ts')
  const ports = (await peers.next()) as PeerPorts
  await Promise.all([quiet.next(), attackers.next()])
  const service = await LoadedService.start(ports)
  const attackedOne = asked === 'attacked' ? service : await LoadedService.start(ports)
  const order: QuietOrder = {
    port: service.port,
    token: 'quiet',
    target: 'echo',
    callers: QUIET_CALLERS,
    forMs,
  }
  try {
    // The first round warms the code up.
    for (const { port } of new Set([service, attackedOne]))
      await quiet.ask({ ...order, port, forMs: forMs / 2 } satisfies QuietOrder)
    const alone = (await quiet.ask(order)) as QuietResult
    const before = await attackedOne.rssMiB()
    const attack = attackers.ask({
      port: attackedOne.port,
      forMs: forMs + 2_000,
      ...(only === undefined ? {} : { only }),
    } satisfies AttackOrder)
    await sleep(1_000)
    if (only === undefined) {
      attackedOne.deafen()
      for (const name of SIGNALS) attackedOne.signal(name)
    }
    const beside = (await quiet.ask(order)) as QuietResult
    const peak = await attackedOne.rssMiB()
    const attacked = (await attack) as readonly string[]
    const after = await attackedOne.rssBackTo(before * RSS_RATIO_MAX, RECOVERY_MS)
    return verdict({ alone, beside, attacked, before, peak, after, hasDied: attackedOne.hasDied })
  } finally {
    await Promise.all([peers.close(), quiet.close(), attackers.close()])
    await service.stop()
    if (attackedOne !== service) await attackedOne.stop()
  }
}

type Seen = {
  readonly alone: QuietResult
  readonly beside: QuietResult
  readonly attacked: readonly string[]
  readonly before: number
  readonly peak: number
  readonly after: { readonly rss: number; readonly afterMs: number }
  readonly hasDied: boolean
}

function verdict({ alone, beside, attacked, before, peak, after, hasDied }: Seen): LoadOutcome {
  const [p99Alone, p99Beside] = [quantile(alone.tookMs, 0.99), quantile(beside.tookMs, 0.99)]
  const told = ({ tookMs, wrong }: QuietResult): string => {
    const of = (q: number): string => `${quantile(tookMs, q).toFixed(1)} ms`
    return `${tookMs.length} calls, p50 ${of(0.5)}, p99 ${of(0.99)}, longest ${of(1)}, ${wrong.length} wrong answers`
  }
  const mib = (count: number): string => `${count.toFixed(0)} MiB`
  const lines = [
    `alone:  ${told(alone)}`,
    `beside: ${told(beside)}`,
    `memory: ${mib(before)} before, ${mib(peak)} under load, ${mib(after.rss)} ${(after.afterMs / 1_000).toFixed(0)} s after`,
    ...attacked.map(line => `  ${line}`),
  ]
  const missed = [
    ...(hasDied ? ['the service ended'] : []),
    ...[...alone.wrong, ...beside.wrong].slice(0, 3).map(text => `a wrong answer: ${text}`),
    ...(p99Beside > P99_RATIO_MAX * p99Alone
      ? [`p99 is ${(p99Beside / p99Alone).toFixed(1)} times what it is alone`]
      : []),
    ...(after.rss > before * RSS_RATIO_MAX ? [`${mib(after.rss - before)} of memory did not come back`] : []),
  ]
  return { lines, missed }
}

class LoadedService {
  readonly port: number
  readonly #process: ChildProcess
  readonly #folder: string

  private constructor(process: ChildProcess, folder: string, port: number) {
    this.#process = process
    this.#folder = folder
    this.port = port
  }

  static async start(ports: PeerPorts): Promise<LoadedService> {
    const folder = await mkdtemp(join(tmpdir(), 'sockpool-load-'))
    const file = join(folder, 'sockpool.yaml')
    await writeFile(file, JSON.stringify(config(ports)))
    const command = `ulimit -n ${DESCRIPTORS}; exec "$0" --max-old-space-size=${HEAP_MIB} "$@"`
    const child = spawn(
      'sh',
      ['-c', command, process.execPath, CLI, 'serve', '--listen', '127.0.0.1:0', '--config', file],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    )
    child.stderr.resume()
    const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
    const port = Number(/:(\d+)$/.exec(line)?.[1])
    return new LoadedService(child, folder, port)
  }

  get hasDied(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null
  }

  /** Closes the far end of its log. */
  deafen(): void {
    this.#process.stderr?.destroy()
  }

  signal(name: NodeJS.Signals): void {
    this.#process.kill(name)
  }

  async rssMiB(): Promise<number> {
    const status = await readFile(`/proc/${this.#process.pid}/status`, 'utf8').catch(() => '')
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1_024
  }

  async rssBackTo(
    mib: number,
    withinMs: number,
  ): Promise<{ readonly rss: number; readonly afterMs: number }> {
    const startedMs = performance.now()
    for (;;) {
      const rss = await this.rssMiB()
      const afterMs = performance.now() - startedMs
      if (rss <= mib || afterMs > withinMs) return { rss, afterMs }
      await sleep(500)
    }
  }

  async stop(): Promise<void> {
    if (!this.hasDied) {
      const exited = once(this.#process, 'exit')
      this.#process.kill('SIGTERM')
      await exited
    }
    await rm(this.#folder, { recursive: true })
  }
}

function config({ echo, slow, sink, half, swallowing }: PeerPorts): object {
  const at = (port: number, max: number, reuse = 'clean') => ({
    host: '127.0.0.1',
    port,
    reuse,
    pool: { max },
  })
  const token = (name: string, limits: object = {}) => ({
    name,
    sha256: createHash('sha256').update(name).digest('hex'),
    targets: ['*'],
    limits,
  })
  return {
    auth: {
      tokens: [
        token('quiet'),
        token('evil', { leases: 2, connections: 2 }),
        token('deaf', { leases: 2, connections: 2 }),
        token('parser'),
        token('dripper'),
        token('hog'),
        token('small'),
        token('names'),
      ],
    },
    targets: {
      echo: at(echo, QUIET_CALLERS),
      shared: at(slow, 10),
      sink: at(sink, 4),
      half: at(half, 8, 'never'),
      'half-dead': {
        hosts: [
          { host: '127.0.0.1', port: swallowing },
          { host: '127.0.0.1', port: echo },
        ],
      },
      'dead-name': { host: 'no-such-name.invalid', port: 9 },
    },
  }
}
