/** Processes and a folder that are gone when this process is, in whatever way it ends. */
import { type ChildProcess, fork, type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { GuardWord } from './guard.ts'

const SCRIPT = new URL('./guard.ts', import.meta.url)

export class Guarded {
  readonly folder: string
  readonly #guard: ChildProcess

  private constructor(guard: ChildProcess, folder: string) {
    this.#guard = guard
    this.folder = folder
  }

  static async open(): Promise<Guarded> {
    // A session of its own: what a terminal sends to all of this one does not reach it.
    const guard = fork(SCRIPT, { execArgv: [], stdio: 'ignore', detached: true })
    const folder = await mkdtemp(join(tmpdir(), 'sockpool-fleet-'))
    const guarded = new Guarded(guard, folder)
    guarded.#say({ kind: 'folder', path: folder })
    return guarded
  }

  spawn(command: string, args: readonly string[], options: SpawnOptions): ChildProcess {
    const child = spawn(command, args, options)
    this.watch(child)
    return child
  }

  /** Ends it too, should this process end before it. */
  watch(child: ChildProcess): void {
    const { pid } = child
    // What could not be started says so by its error.
    if (pid === undefined) return
    this.#say({ kind: 'watch', pid })
    child.once('exit', () => this.#say({ kind: 'forget', pid }))
  }

  async close(): Promise<void> {
    const exited = once(this.#guard, 'exit')
    this.#guard.disconnect()
    await exited
    await rm(this.folder, { recursive: true, force: true })
  }

  #say(word: GuardWord): void {
    if (this.#guard.connected) this.#guard.send(word)
  }
}
