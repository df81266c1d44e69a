/** One instance of a fleet: `sockpool serve` as it is built, at a port of its own, which ends and starts again and stands still. */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { ROOT, servedBy, within } from '../support/service-process.ts'
import type { Guarded } from './guarded.ts'

/** The command's entry, as it is built and packed. */
const CLI = join(ROOT, 'dist', 'cli.js')
/** Milliseconds for a start or a stop, on a machine that is busy. */
const START_MS = 150_000
const STOP_MS = 150_000
/** Characters of the log that are kept to be told. */
const LOG_TAIL = 4_000

export type InstanceState = 'down' | 'serving' | 'frozen'

export type InstanceOptions = {
  readonly guarded: Guarded
  readonly name: string
  readonly index: number
  readonly port: number
  /** What its file says beside the place where it listens. */
  readonly config: object
  /** Where its log is written, `NAME.log`; default: its end is kept in memory. */
  readonly logs?: string
}

export class Instance {
  readonly name: string
  /** Its place among the instances, and among the upstream's ports. */
  readonly index: number
  readonly port: number
  readonly #options: InstanceOptions
  #process: ChildProcess | null = null
  #state: InstanceState = 'down'
  #tail = ''

  constructor(options: InstanceOptions) {
    this.#options = options
    this.name = options.name
    this.index = options.index
    this.port = options.port
  }

  get state(): InstanceState {
    return this.#state
  }

  get pid(): number {
    return this.#process?.pid ?? -1
  }

  /** The end of what it has logged. */
  get log(): string {
    return this.#tail
  }

  async start(): Promise<void> {
    const { guarded, name, port, config } = this.#options
    const file = join(guarded.folder, `${name}.json`)
    await writeFile(file, JSON.stringify(config), { mode: 0o600 })
    const args = [CLI, 'serve', '--listen', `127.0.0.1:${port}`, '--config', file]
    const kept = Object.entries(process.env).filter(([key]) => !key.startsWith('SOCKPOOL_'))
    // With its compiled form kept it starts in half the time, again and again.
    const { NODE_COMPILE_CACHE = join(ROOT, 'node_modules/.cache/compile') } = process.env
    const env = { ...Object.fromEntries(kept), NODE_COMPILE_CACHE, ...servedBy() }
    const child = guarded.spawn(process.execPath, args, {
      cwd: guarded.folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      env,
    })
    this.#process = child
    this.#keepLog(child)
    await within(START_MS, this.#listening(child), `${name} did not listen`)
    this.#state = 'serving'
  }

  /** At once, with all that it has. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  /** In order. How it ended: 0, or what went wrong. */
  async stop(): Promise<number | string> {
    return await this.#end('SIGTERM')
  }

  /** It stands still, and its connections stay. */
  freeze(): void {
    this.#process?.kill('SIGSTOP')
    this.#state = 'frozen'
  }

  thaw(): void {
    if (this.#state !== 'frozen') return
    this.#process?.kill('SIGCONT')
    this.#state = 'serving'
  }

  async #end(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | string> {
    const child = this.#process
    this.#state = 'down'
    this.#process = null
    if (child === null || child.exitCode !== null || child.signalCode !== null)
      return child?.exitCode ?? child?.signalCode ?? 0
    const exited = once(child, 'close') as Promise<[number | null, string | null]>
    child.kill(signal)
    const [code, by] = await within(STOP_MS, exited, `${this.name} did not end`)
    return code ?? by ?? 'unknown'
  }

  async #listening(child: ChildProcess): Promise<void> {
    const { stdout } = child
    if (stdout === null) throw new Error('it has no outputs')
    const lines = createInterface({ input: stdout })
    const died = once(child, 'exit').then(([code]) => {
      throw new Error(`${this.name} ended with ${code} before it listened: ${this.#tail}`)
    })
    died.catch(() => {})
    const [line] = (await Promise.race([once(lines, 'line'), died])) as [string]
    // What comes after is of no interest, and must not fill the pipe.
    lines.close()
    stdout.resume()
    if (!line.startsWith('listening on ')) throw new Error(`the first line of ${this.name} is ${line}`)
  }

  #keepLog(child: ChildProcess): void {
    const { logs, name } = this.#options
    const file = logs === undefined ? null : createWriteStream(join(logs, `${name}.log`), { flags: 'a' })
    child.stderr?.on('data', (chunk: Buffer) => {
      this.#tail = `${this.#tail}${String(chunk)}`.slice(-LOG_TAIL)
      file?.write(chunk)
    })
    child.stderr?.once('close', () => file?.end())
  }
}
