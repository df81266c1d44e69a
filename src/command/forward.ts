/** `forward`: a local port of which each accepted connection is one lease, of a pool of its own or of a running service. */
import { type Logger, pino } from 'pino'
import { errorText } from '../base/error-text.ts'
import { stderrLog } from '../base/stderr-log.ts'
import { type ListenAddress, parseHostPort, parseListenAddress } from '../config/address.ts'
import type { Config } from '../config/config.ts'
import { environmentToken, environmentUrl } from '../config/environment.ts'
import type { ForwardConfig, ForwardMode } from '../config/forward.ts'
import { normaliseTarget } from '../config/target.ts'
import { balancedFrame } from '../frames/frames.ts'
import { readCallTls } from './call-tls.ts'
import { CommandError } from './command-error.ts'
import { loadForCommand } from './config-commands.ts'
import { openRemoteForward } from './remote-forward.ts'
import type { ServiceFlags } from './service-call.ts'
import { Shutdown } from './shutdown.ts'
import { print, type Streams } from './streams.ts'

export type ForwardOptions = ServiceFlags & {
  readonly listen: string
  readonly target: string
  readonly config?: string | undefined
  readonly mode: ForwardMode
}

type Running = { readonly listen: string; readonly leases: number; close(): Promise<void> }

/** What is left to close after the clients' time to end is over. */
const CLOSE_MARGIN_MS = 5_000

/**
 * Starts it and returns once it accepts; from then on signals end the process as they end `serve`.
 *
 * Output: `listening on ADDRESS` is the first line. Errors: CommandError with exit code 2 for flags or a configuration that
 * mean nothing, 1 where it cannot listen.
 */
export async function forward(options: ForwardOptions, { stdout }: Streams): Promise<void> {
  const listen = parseListenAddress(options.listen)
  if (listen === null)
    throw new CommandError(
      2,
      `--listen must be HOST:PORT, [IPV6]:PORT or unix:PATH, not ${JSON.stringify(options.listen)}`,
    )
  const config = loadForCommand(options.config === undefined ? {} : { file: options.config })
  const url = options.url ?? (options.config === undefined ? environmentUrl() : undefined)
  const log = pino({ name: 'sockpool', level: config.logLevel }, stderrLog())
  const starting =
    url === undefined ? runOwn(options, listen, config) : runRemote(options, listen, url, config, log)
  const running = await starting.catch((error: unknown) => {
    if (error instanceof CommandError) throw error
    throw new CommandError(1, `cannot forward: ${errorText(error)}`, { cause: error })
  })
  Shutdown.install({
    close: () => running.close(),
    leases: () => running.leases,
    drainMs: () => config.limits.drainTimeoutMs,
    closeMarginMs: CLOSE_MARGIN_MS,
    reload: () => log.warn('SIGHUP is ignored: a forward of its own is what it was started as'),
    echoMs: 0,
    log,
    sink: stderrLog(),
  })
  await print(stdout, `listening on ${running.listen}\n`)
}

async function runOwn(
  { target, mode, config: file, ...flags }: ForwardOptions,
  listen: ListenAddress,
  config: Config,
): Promise<Running> {
  readCallTls(flags, undefined)
  const targets = targetsFor(target, file, config)
  const frame = targets[target]?.frame
  if (mode === 'message' && balancedFrame(frame) === null)
    throw new CommandError(
      2,
      `--mode message: ${target} must have a frame by which its requests and answers can be counted`,
    )
  const forward: ForwardConfig = { listen, target, mode, tls: null, proxyProtocol: false }
  const { startForwardService } = await import('../service/forward-service.ts')
  return await startForwardService({ ...config, targets }, forward)
}

/** A name of the config file comes before an address of the same spelling. */
function targetsFor(target: string, file: string | undefined, { targets }: Config): Config['targets'] {
  if (Object.hasOwn(targets, target)) return targets
  const place = parseHostPort(target)
  if (place !== null) return { [target]: normaliseTarget(place) }
  const names = Object.keys(targets)
  const known = names.length > 0 ? `; ${file ?? 'the environment'} names ${names.join(', ')}` : ''
  throw new CommandError(
    2,
    `--target must be HOST:PORT, or a target's name with --config FILE or --url URL, not ${JSON.stringify(target)}${known}`,
  )
}

async function runRemote(
  { target, mode, token = environmentToken(), ...flags }: ForwardOptions,
  listen: ListenAddress,
  url: string,
  config: Config,
  log: Logger,
): Promise<Running> {
  if (mode !== 'session')
    throw new CommandError(
      2,
      `--mode ${mode}: with --url each client has a lease of its own, which is session mode`,
    )
  return await openRemoteForward({
    listen,
    url,
    call: { target, token, tls: readCallTls(flags, url) },
    drainMs: config.limits.drainTimeoutMs,
    onRefused: reason => log.warn({ reason }, 'a client was disconnected'),
  })
}
