/**
 * The service as a process of its own, started from source as `npm start` does, on a free port. It must end well:
 * `stop` fails where the exit code is not 0, or where stderr held anything but JSON lines free of secrets.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Api } from './api.ts'

/** The checkout. */
export const ROOT: string = join(import.meta.dirname, '..', '..')
/** The command's entry as source. */
export const CLI: string = join(ROOT, 'src', 'cli.ts')

/** Milliseconds until a start or a stop has failed. */
const START_TIMEOUT_MS = 30_000
const STOP_TIMEOUT_MS = 40_000
const COMMAND_TIMEOUT_MS = 60_000

export type ServiceProcessOptions = {
  /** Behind `serve`, beside --listen and --config; default none. */
  readonly args?: readonly string[]
  /** Written as JSON, which is YAML too. */
  readonly config?: object
  /** Files that stand beside the config, by name. */
  readonly files?: Readonly<Record<string, string>>
  /** Default `127.0.0.1:0`. */
  readonly listen?: string
  /** Script and its first arguments; default the source's entry. */
  readonly entry?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Its limit of open files; default: that of the tests. */
  readonly openFiles?: number
  /** A descriptor to log to, in place of a pipe that is read. */
  readonly logTo?: number
}

export type ServiceProcess = {
  readonly url: string
  readonly token: string | null
  readonly api: Api
  readonly pid: number
  /** What stood on stdout so far, line by line. */
  readonly stdout: readonly string[]
  stderr(): string
  /** Goes away as the reader of stdout and stderr. */
  leaveOutputs(): void
  signal(name: NodeJS.Signals): void
  /** Has the config file say something else, for whoever reads it anew. */
  configure(config: object | string): Promise<void>
  /** Resolves with the exit code; the signal's name where one killed it. */
  readonly exited: Promise<number | string>
  /** SIGTERM, and checks how it ended. Safe to call twice. */
  stop(): Promise<void>
}

/** Starts `serve` and resolves once it accepts. */
export async function startServiceProcess(options: ServiceProcessOptions = {}): Promise<ServiceProcess> {
  const { args = [], config, files = {}, listen = '127.0.0.1:0', entry = [CLI], env = {} } = options
  const { logTo = 'pipe', openFiles } = options
  const folder = await mkdtemp(join(tmpdir(), 'sockpool-e2e-'))
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
  const configFile = join(folder, 'sockpool.yaml')
  if (config) await writeFile(configFile, JSON.stringify(config))
  const limited = ['-c', `ulimit -n ${openFiles}; exec "$0" "$@"`, process.execPath]
  const child = spawn(
    openFiles === undefined ? process.execPath : 'sh',
    [
      ...(openFiles === undefined ? [] : limited),
      ...entry,
      'serve',
      '--listen',
      listen,
      ...(config ? ['--config', configFile] : []),
      ...args,
    ],
    { cwd: folder, stdio: ['ignore', 'pipe', logTo], env: { ...cleanEnvironment(), ...env } },
  )
  const stderr: Buffer[] = []
  child.stderr?.on('data', (chunk: Buffer) => stderr.push(chunk))
  const stderrText = (): string => Buffer.concat(stderr).toString('utf8')
  const stdout: string[] = []
  if (child.stdout === null) throw new Error('the service has no stdout')
  const lines = createInterface({ input: child.stdout })
  lines.on('line', line => stdout.push(line))
  const exited = exitOf(child)
  const url = await listening(lines, exited, stderrText).catch(async (error: unknown) => {
    child.kill('SIGKILL')
    await rm(folder, { recursive: true })
    throw error
  })
  const token = args.includes('--no-auth') ? null : await printedToken(stdout, lines, config)
  const api = new Api(url.startsWith('unix:') ? 'http://localhost' : url, token)
  let stopped: Promise<void> | undefined
  const stop = async (): Promise<void> => {
    // What a test still holds would hold up the drain until it expires.
    if (child.exitCode === null)
      await Promise.allSettled(api.leases.map(lease => lease.release('?discard=true')))
    child.kill('SIGTERM')
    const code = await within(STOP_TIMEOUT_MS, exited, 'the service did not end').catch((error: unknown) => {
      child.kill('SIGKILL')
      throw error
    })
    await rm(folder, { recursive: true })
    if (code !== 0) throw new Error(`the service ended with ${code}: ${stderrText()}`)
    checkLog(stderrText(), [...(token === null ? [] : [token]), ...api.leaseIds])
  }
  return {
    url,
    token,
    api,
    pid: child.pid ?? -1,
    stdout,
    stderr: stderrText,
    leaveOutputs: () => {
      child.stdout?.destroy()
      child.stderr?.destroy()
    },
    signal: name => void child.kill(name),
    configure: next => writeFile(configFile, typeof next === 'string' ? next : JSON.stringify(next)),
    exited,
    stop: () => {
      stopped ??= stop()
      return stopped
    },
  }
}

/** What a command printed and how it ended. */
export async function runCommand(
  args: readonly string[],
  options: {
    readonly stdin?: string
    readonly env?: Readonly<Record<string, string>>
    readonly cwd?: string
    /** Milliseconds after which it is killed; default 60 000. */
    readonly timeoutMs?: number
  } = {},
): Promise<{ readonly code: number | string; readonly stdout: string; readonly stderr: string }> {
  const { stdin = '', env = {}, cwd = ROOT, timeoutMs = COMMAND_TIMEOUT_MS } = options
  const [file = '', ...rest] = args
  const child = spawn(file, rest, {
    cwd,
    stdio: 'pipe',
    env: { ...cleanEnvironment(), ...env },
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  })
  const printed = { stdout: [] as Buffer[], stderr: [] as Buffer[] }
  child.stdout.on('data', (chunk: Buffer) => printed.stdout.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => printed.stderr.push(chunk))
  // A command that ends before it has read its input is judged by how it ended.
  child.stdin.on('error', () => {})
  child.stdin.end(stdin)
  const code = await exitOf(child)
  return {
    code,
    stdout: Buffer.concat(printed.stdout).toString('utf8'),
    stderr: Buffer.concat(printed.stderr).toString('utf8'),
  }
}

/** Rejects where `promise` has not settled in time. */
export async function within<T>(timeoutMs: number, promise: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} within ${timeoutMs} ms`)), timeoutMs)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Settings of whoever runs the tests must not become those of the service. */
/** Who runs the tests may have all services serve HTTP on several threads. */
export function servedBy(): Readonly<Record<string, string>> {
  const { SOCKPOOL_HTTP_THREADS: threads } = process.env
  return threads === undefined ? {} : { SOCKPOOL_HTTP_THREADS: threads }
}

function cleanEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('SOCKPOOL_'))
  return { ...Object.fromEntries(kept), ...servedBy() }
}

function exitOf(child: ChildProcess): Promise<number | string> {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve(code ?? signal ?? 'unknown'))
  })
}

async function listening(
  lines: ReturnType<typeof createInterface>,
  exited: Promise<number | string>,
  stderr: () => string,
): Promise<string> {
  const died = exited.then(code => {
    throw new Error(`the service ended with ${code} before it listened: ${stderr()}`)
  })
  died.catch(() => {})
  const [first] = (await within(
    START_TIMEOUT_MS,
    Promise.race([once(lines, 'line'), died]),
    'the service did not listen',
  )) as [string]
  const url = /^listening on (\S+)$/.exec(first)?.[1]
  if (url === undefined) throw new Error(`the first line is ${JSON.stringify(first)}`)
  return url
}

/** With tokens in its config the service prints none. */
async function printedToken(
  stdout: readonly string[],
  lines: ReturnType<typeof createInterface>,
  config: object | undefined,
): Promise<string | null> {
  if (config && 'auth' in config) return null
  while (stdout.length < 2) await once(lines, 'line')
  const token = /^token: (\S+)$/.exec(stdout[1] ?? '')?.[1]
  if (token === undefined) throw new Error(`the second line is ${JSON.stringify(stdout[1])}`)
  return token
}

function checkLog(stderr: string, secrets: readonly string[]): void {
  for (const line of stderr.split('\n').filter(text => text !== '')) {
    try {
      JSON.parse(line)
    } catch {
      throw new Error(`stderr holds a line that is no JSON: ${line}`)
    }
  }
  if (secrets.some(secret => stderr.includes(secret))) throw new Error('the log holds a token or a lease id')
}
