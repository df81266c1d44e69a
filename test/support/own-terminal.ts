/**
 * A command on a terminal of its own, by `script` of util-linux: what it draws, keys that are pressed, another size. A
 * test skips where there is no such program; with SOCKPOOL_TEST_SERVICES=required it fails.
 */
import { spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { requireProgram } from './own-program.ts'
import { CLI, runCommand, within } from './service-process.ts'
import { makeFolder } from './temporary-folder.ts'

/** Where a frame begins and ends, as `top` draws it. */
const FRAME_START = '\x1b[?2026h\x1b[H'
const FRAME_END = '\x1b[J\x1b[?2026l'
const SEQUENCE = /\p{Cc}\[[\d;?]*[A-Za-z]/gu

/** What the place where tests run says of colours and sizes (Node takes `CI` for one without colours), and of sockpool. */
const OWN_TO_ITS_PLACE =
  /^(?:SOCKPOOL_.*|COLUMNS|LINES|NO_COLOR|FORCE_COLOR|NODE_DISABLE_COLORS|CI|TMUX|TEAMCITY_VERSION)$/

/** Milliseconds until what is awaited has failed to show. */
const FRAME_MS = 10_000

export type TerminalRun = {
  readonly columns?: number
  readonly rows?: number
  readonly env?: Readonly<Record<string, string>>
  /** The lines of a shell that run the command's words; default: those words alone. */
  readonly shell?: (words: string) => string
  readonly skip: (note: string) => never
}

export class OwnTerminal {
  /** All that the terminal got, sequences and all. */
  output = ''
  readonly exited: Promise<number>
  readonly #folder: string
  readonly #drawn = new EventEmitter()
  readonly #type: (keys: string) => void

  private constructor(folder: string, exited: Promise<number>, type: (keys: string) => void) {
    this.#folder = folder
    this.exited = exited
    this.#type = type
  }

  /** Runs `sockpool` with these arguments. */
  static async run(args: readonly string[], options: TerminalRun): Promise<OwnTerminal> {
    const { columns = 100, rows = 30, env = {}, shell: runs = (words: string) => words, skip } = options
    const script = await requireProgram('script', 'bsdutils', skip)
    const folder = await makeFolder()
    const quoted = [process.execPath, CLI, ...args].map(arg => `'${arg}'`).join(' ')
    const shell = [
      `stty rows ${rows} cols ${columns}`,
      `tty > ${folder}/tty`,
      runs(`sh -c 'echo $$ > ${folder}/pid; exec "$@"' sh ${quoted}`),
      'code=$?',
      `stty -a > ${folder}/after`,
      'exit $code',
    ].join('\n')
    const kept = Object.entries(process.env).filter(([name]) => !OWN_TO_ITS_PLACE.test(name))
    const child = spawn(script, ['-q', '-e', '-f', '-c', shell, '/dev/null'], {
      stdio: 'pipe',
      env: { ...Object.fromEntries(kept), TERM: 'xterm-256color', ...env },
    })
    const exited = once(child, 'close').then(([code]) => Number(code))
    child.stdin.on('error', () => {})
    const terminal = new OwnTerminal(folder, exited, keys => void child.stdin.write(keys))
    child.stdout.on('data', (chunk: Buffer) => {
      terminal.output += chunk.toString('utf8')
      terminal.#drawn.emit('data')
    })
    onTestFinished(async () => {
      child.kill('SIGKILL')
      await exited
    })
    return terminal
  }

  press(keys: string): void {
    this.#type(keys)
  }

  async resize(columns: number, rows: number): Promise<void> {
    const device = (await readFile(join(this.#folder, 'tty'), 'utf8')).trim()
    await runCommand(['stty', '-F', device, 'cols', String(columns), 'rows', String(rows)])
  }

  async signal(name: NodeJS.Signals): Promise<void> {
    process.kill(Number(await readFile(join(this.#folder, 'pid'), 'utf8')), name)
  }

  /** The lines of the last whole frame, without colours. */
  frame(): readonly string[] {
    const end = this.output.lastIndexOf(FRAME_END)
    const start = end < 0 ? -1 : this.output.lastIndexOf(FRAME_START, end)
    if (start < 0) return []
    const text = this.output.slice(start + FRAME_START.length, end)
    return text.replace(SEQUENCE, '').split(/\r*\n/)
  }

  /** Resolves once a frame shows this. */
  async shows(pattern: RegExp): Promise<void> {
    const shown = (async () => {
      while (!pattern.test(this.frame().join('\n'))) await once(this.#drawn, 'data')
    })()
    await within(FRAME_MS, shown, `no frame showed ${pattern}`).catch((error: unknown) => {
      throw new Error(`${String(error)}; the last was\n${this.frame().join('\n')}`)
    })
  }

  /** How the terminal was when the command had ended, as `stty -a` says it. */
  async after(): Promise<string> {
    return await readFile(join(this.#folder, 'after'), 'utf8')
  }
}
