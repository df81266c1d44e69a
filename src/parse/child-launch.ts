/**
 * How a parse process is started: with nothing of ours but the file that it runs. It inherits no variable of the
 * environment, no flag of this process and no descriptor beside its pipe; it may read the code of the package, of formats
 * and of their dependencies and no other file, write none, and start neither processes nor threads nor native code.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { setPriority } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { LIMITS } from '../base/limits.ts'
import { CHILD_MARK, CHILD_PIPE } from './formats/child-frames.ts'

/** Makes it the first that the kernel ends where a machine or a container has no memory left. */
const FIRST_TO_GO = '1000'

export type ChildCode = {
  /** The parse worker's file. */
  readonly file: URL
  /** Modules of formats that are not our own, as `file:` URLs. */
  readonly modules: readonly string[]
}

/** Errors: that of the spawn, where it throws; most come as the process's `error` event. */
export function startChild({ file, modules }: ChildCode, heapMiB: number): ChildProcess {
  const path = fileURLToPath(file)
  const folders = new Set([path, ...modules.map(module => fileURLToPath(module))].flatMap(readable))
  const flags = [
    `--max-old-space-size=${heapMiB}`,
    '--permission',
    ...[...folders].map(folder => `--allow-fs-read=${folder}`),
  ]
  const stdio: ('ignore' | 'pipe')[] = ['ignore', 'ignore', 'pipe']
  stdio[CHILD_PIPE] = 'pipe'
  const child = spawn(process.execPath, [...flags, path, CHILD_MARK], {
    stdio,
    env: {},
    windowsHide: true,
  })
  if (child.pid !== undefined) stepBack(child.pid)
  return child
}

/** A file's package, and the folders in which its dependencies are looked for. */
function readable(path: string): readonly string[] {
  const folders = ancestors(dirname(path))
  const own = folders.find(folder => existsSync(join(folder, 'package.json'))) ?? dirname(path)
  return [own, ...folders.map(folder => join(folder, 'node_modules')).filter(existsSync)]
}

function ancestors(folder: string): readonly string[] {
  const above = dirname(folder)
  return above === folder ? [folder] : [folder, ...ancestors(above)]
}

/** Set from here, before it has threads of its own: on Linux each of them keeps what its maker had. */
function stepBack(pid: number): void {
  try {
    setPriority(pid, LIMITS.parseNice)
    if (process.platform === 'linux') writeFileSync(`/proc/${pid}/oom_score_adj`, FIRST_TO_GO)
  } catch {
    // It has ended already, or this container may not change it. It works as well, but holds others up more.
  }
}
