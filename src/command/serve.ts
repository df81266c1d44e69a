/** `serve`: runs the service until a signal, then drains it. */
import closeWithGrace from 'close-with-grace'
import { destination, type Logger, pino } from 'pino'
import type { Config } from '../config/config.ts'
import type { ConfigFlags } from '../config/load.ts'
import { unservedKeys } from '../config/unserved.ts'
import { CommandError } from './command-error.ts'
import { loadForCommand } from './config-commands.ts'
import { curlLines } from './curl-lines.ts'
import { print, type Streams } from './streams.ts'

export type ServeOptions = {
  readonly config?: string | undefined
  readonly demo: boolean
  readonly flags: ConfigFlags
}

/** What is left to close after the leases' time to end is over: servers, threads. */
const CLOSE_MARGIN_MS = 5_000

/**
 * Starts the service and returns once it accepts; from then on signals end the process: the first drains and exits
 * 0, a second exits at once.
 *
 * Output: `listening on <url>` is the first line; then the token, where one was made; then the curl lines of the demo.
 * Errors: CommandError with exit code 2 for a faulty configuration, 1 where the service cannot start.
 */
export async function serve({ config: file, demo, flags }: ServeOptions, { stdout }: Streams): Promise<void> {
  const config = loadForCommand({ flags, ...(file !== undefined && { file }) })
  const { startService } = await import('../service.ts')
  const service = await startService(config, { demo }).catch((error: unknown) => {
    throw new CommandError(1, describeStart(error, config), { cause: error })
  })
  const log = pino({ name: 'sockpool', level: config.logLevel }, destination({ dest: 2, sync: true }))
  installSignals(() => service.close(), config, log)
  for (const { path, message } of unservedKeys(config)) log.warn({ path }, message)
  const lines = [`listening on ${service.url}`]
  if (service.token !== null) lines.push(`token: ${service.token}`)
  if (demo) lines.push(...demoLines(service.url, service.token, config))
  await print(stdout, `${lines.join('\n')}\n`)
}

function demoLines(url: string, token: string | null, config: Config): readonly string[] {
  if (config.auth === null) return curlLines(url, null)
  if (token !== null) return curlLines(url, token)
  return ['# set SOCKPOOL_TOKEN to one of your tokens first', ...curlLines(url, '$SOCKPOOL_TOKEN')]
}

function installSignals(close: () => Promise<void>, config: Config, log: Logger): void {
  const delay = config.limits.drainTimeoutMs + CLOSE_MARGIN_MS
  const onTimeout = (waitedMs: number): void => log.error({ waitedMs }, 'gave up closing')
  const onSecondSignal = (signal: string): void => log.warn({ signal }, 'second signal, exiting now')
  const logger = { error: (fault: unknown) => log.error({ err: fault }, 'closing failed') }
  closeWithGrace({ delay, logger, onTimeout, onSecondSignal }, async ({ signal, err }) => {
    if (err) log.fatal({ err }, 'a fault ends the service')
    else if (signal) log.info({ signal }, 'draining')
    await close()
  })
}

function describeStart(error: unknown, config: Config): string {
  const reason = error instanceof Error ? error.message : String(error)
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'EADDRINUSE')
    return `cannot listen: ${reason}\nAnother process has this address; stop it, or choose one with --listen HOST:PORT (port 0 takes any).`
  if (code === 'EACCES' && config.listen.kind === 'tcp' && config.listen.port < 1_024)
    return `cannot listen: ${reason}\nPorts below 1024 need privileges; choose a higher one with --listen.`
  return `cannot start: ${reason}`
}
