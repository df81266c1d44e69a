/** `serve`: runs the service until a signal, then drains it. */
import { type Logger, pino } from 'pino'
import { errorText } from '../base/error-text.ts'
import { SockpoolError } from '../base/errors.ts'
import { LIMITS } from '../base/limits.ts'
import { stderrLog } from '../base/stderr-log.ts'
import { formatAddress } from '../config/address.ts'
import type { Config } from '../config/config.ts'
import { isNpmStart } from '../config/environment.ts'
import type { ConfigFlags } from '../config/load.ts'
import type { Service } from '../service.ts'
import { CommandError } from './command-error.ts'
import { loadForCommand, rereadConfig } from './config-commands.ts'
import { curlLines } from './curl-lines.ts'
import { watchParent } from './parent-watch.ts'
import { Shutdown } from './shutdown.ts'
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
 * 0, a second exits at once. A reader of stdout or stderr that goes away changes nothing.
 *
 * Output: `listening on <url>` is the first line; then the token, where one was made; then the curl lines of the demo.
 * Errors: CommandError with exit code 2 for a faulty configuration, 1 where the service cannot start.
 */
export async function serve({ config: file, demo, flags }: ServeOptions, { stdout }: Streams): Promise<void> {
  const sources = { flags, ...(file !== undefined && { file }) }
  const config = boundDrain(loadForCommand(sources), demo)
  const log = pino({ name: 'sockpool', level: config.logLevel }, stderrLog())
  logWarnings(log)
  const { startService } = await import('../service.ts')
  const service = await startService(config, {
    demo,
    reread: () => boundDrain(rereadConfig(sources), demo),
  }).catch((error: unknown) => {
    throw new CommandError(1, describeStart(error, config), { cause: error })
  })
  installShutdown(service, log)
  const lines = [`listening on ${service.url}`]
  if (service.token !== null) lines.push(`token: ${service.token}`)
  if (demo) lines.push(...demoLines(service.url, service.token, config))
  await print(stdout, `${lines.join('\n')}\n`).catch((error: unknown) =>
    log.warn(
      { err: error },
      'nobody could be told on stdout where the service listens; it serves all the same',
    ),
  )
}

/** A demo holds nobody's work: what is still leased at its end is not worth a long wait. */
function boundDrain(config: Config, demo: boolean): Config {
  if (!demo) return config
  const drainTimeoutMs = Math.min(config.limits.drainTimeoutMs, LIMITS.demoDrainMs)
  return { ...config, limits: { ...config.limits, drainTimeoutMs } }
}

function demoLines(url: string, token: string | null, config: Config): readonly string[] {
  if (config.auth === null) return curlLines(url, null)
  if (token !== null) return curlLines(url, token)
  return ['# set SOCKPOOL_TOKEN to one of your tokens first', ...curlLines(url, '$SOCKPOOL_TOKEN')]
}

function installShutdown(service: Service, log: Logger): void {
  const isByNpm = isNpmStart()
  const shutdown = Shutdown.install({
    close: () => service.close(),
    leases: () => service.leases,
    drainMs: () => service.drainTimeoutMs,
    closeMarginMs: CLOSE_MARGIN_MS,
    reload: () => reloadBySignal(service),
    // A terminal sends Ctrl-C to npm and to this process, and npm passes it on.
    echoMs: isByNpm ? LIMITS.signalEchoMs : 0,
    log,
    sink: stderrLog(),
  })
  void service.replaced.then(() => shutdown.begin({ kind: 'replaced' }))
  if (isByNpm) watchParent(() => shutdown.begin({ kind: 'parent' }))
}

/** The service has logged what came of it: nobody else awaits an answer. */
function reloadBySignal(service: Service): void {
  try {
    service.reload()
  } catch (error) {
    if (!(error instanceof SockpoolError)) throw error
  }
}

/** Node prints warnings to stderr at once, as text: that is no JSON line, and it waits for stderr's reader. */
function logWarnings(log: Logger): void {
  process.removeAllListeners('warning')
  process.on('warning', warning => {
    const { name, message, stack } = warning
    const code = 'code' in warning ? warning.code : undefined
    log.warn({ warning: name, code, stack }, message)
  })
}

function describeStart(error: unknown, config: Config): string {
  const reason = errorText(error)
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'EADDRINUSE')
    return `cannot listen: ${reason}\nAnother process has this address; stop it, or choose one with --listen HOST:PORT (port 0 takes any).`
  if (config.listen.kind === 'fd')
    return `cannot listen: ${reason}\nThe process was not started with a socket as ${formatAddress(config.listen)} that it may listen on.`
  if (code === 'EACCES' && config.listen.kind === 'tcp' && config.listen.port < 1_024)
    return `cannot listen: ${reason}\nPorts below 1024 need privileges; choose a higher one with --listen.`
  return `cannot start: ${reason}`
}
