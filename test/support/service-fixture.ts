/** The service inside the test's own process, on a free port, closed with its test or its file. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Config } from '../../src/config/config.ts'
import { type ConfigFlags, loadConfig } from '../../src/config/load.ts'
import { type Service, startService } from '../../src/service.ts'
import { Api } from './api.ts'
import { servedBy } from './service-process.ts'

type GivenConfig = Readonly<Record<string, unknown>>

export type ServiceFixtureOptions = {
  /** As a config file says it; `listen` defaults to a free port of 127.0.0.1, and `limits.drainTimeout` to 2 s. */
  readonly config?: GivenConfig
  readonly flags?: ConfigFlags
  /** Files that stand beside the config, by name. */
  readonly files?: Readonly<Record<string, string>>
  /** Variables that the config names. */
  readonly environment?: Readonly<Record<string, string>>
  readonly demo?: boolean
  /** The folder of the dashboard's files; default: the package's own. */
  readonly dashboard?: string
  /** Registers the teardown: `onTestFinished`, or `afterFile`. */
  readonly finally: (undo: () => Promise<void>) => void
}

export type ServiceFixture = Service & {
  readonly api: Api
  readonly port: number
  /** Has the config file say something else, for whoever reads it anew. */
  configure(config: GivenConfig): Promise<void>
}

/** A free port, and a short drain: leases that a client holds in a test end with it at the latest. */
function withDefaults({ limits, ...config }: GivenConfig): GivenConfig {
  return {
    listen: '127.0.0.1:0',
    ...config,
    limits: { drainTimeout: '2s', ...(limits as object | undefined) },
  }
}

/** Starts it without logs: what a log holds is asked of a process of its own. */
export async function startServiceFixture(options: ServiceFixtureOptions): Promise<ServiceFixture> {
  const { config = {}, flags = {}, files = {}, demo = false, dashboard } = options
  const folder = await mkdtemp(join(tmpdir(), 'sockpool-service-'))
  options.finally(() => rm(folder, { recursive: true }))
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
  const file = join(folder, 'sockpool.yaml')
  const configure = (next: GivenConfig): Promise<void> => writeFile(file, JSON.stringify(withDefaults(next)))
  await configure(config)
  const environment = { ...servedBy(), ...options.environment }
  const reread = (): Config => loadConfig({ file, flags: { logLevel: 'silent', ...flags }, environment })
  const service = await startService(reread(), {
    demo,
    reread,
    ...(dashboard !== undefined && { dashboard }),
  })
  const { url, token } = service
  const api = new Api(url, token)
  options.finally(async () => {
    // What a test still holds would hold up the drain until it expires.
    await Promise.allSettled(api.leases.map(lease => lease.release('?discard=true')))
    await service.close()
  })
  const port = url.startsWith('unix:') ? 0 : Number(new URL(url).port)
  return {
    url,
    token,
    get leases() {
      return service.leases
    },
    drainTimeoutMs: service.drainTimeoutMs,
    reload: () => service.reload(),
    replaced: service.replaced,
    close: () => service.close(),
    api,
    configure,
    port,
  }
}

/** The requests of `dialled` of all I/O workers together: every connect that was ever attempted. */
export async function dialledBy(api: Api): Promise<number> {
  const { workers } = JSON.parse((await api.get('/v1/workers')).text) as { workers: { dialled: number }[] }
  return workers.reduce((sum, { dialled }) => sum + dialled, 0)
}
