/**
 * The way of a newcomer, as docs/deployment.md has it: from an empty folder to a GET of Redis over REST. Its commands are
 * typed as they stand there, but for three things: the package is the tarball, and Redis and the service are at ports of the
 * test's own.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { blocksOf } from './page-blocks.ts'
import { readPage, sectionOf } from './pages.ts'

/** Milliseconds after which it has failed. */
const WALK_TIMEOUT_MS = 120_000

export type NewcomersPath = {
  readonly commands: readonly string[]
  /** From the first command to the last answer. */
  readonly seconds: number
  readonly stdout: string
  readonly stderr: string
}

export type NewcomersPlaces = {
  readonly tarball: string
  readonly redis: { readonly host: string; readonly port: number }
  /** A free port of 127.0.0.1. */
  readonly servicePort: number
}

/** The commands that the page shows, one a line. */
export function newcomersCommands(): readonly string[] {
  const section = sectionOf(readPage('docs/deployment.md'), 'newcomer')
  const [block] = blocksOf(section ?? '')
  if (block?.language !== 'bash') throw new Error('docs/deployment.md shows no path of a newcomer')
  return block.text.trimEnd().split('\n')
}

/** Walks it, and ends what it has started. */
export async function walkNewcomersPath({
  tarball,
  redis,
  servicePort,
}: NewcomersPlaces): Promise<NewcomersPath> {
  const folder = await mkdtemp(join(tmpdir(), 'sockpool-newcomer-'))
  const commands = newcomersCommands()
  const typed = commands.map(command =>
    command
      .replace('npm i sockpool', `npm i --no-audit --no-fund ${JSON.stringify(tarball)}`)
      .replace('"port":6379', `"port":${redis.port}`)
      .replace('127.0.0.1', redis.host)
      .replace('localhost:7070', `localhost:${servicePort}`),
  )
  const startMs = performance.now()
  // A group of its own, as the service goes on in the background.
  const child = spawn('bash', ['-c', `set -e\n${typed.join('\n')}`], {
    cwd: folder,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, SOCKPOOL_LISTEN: `127.0.0.1:${servicePort}` },
    timeout: WALK_TIMEOUT_MS,
  })
  try {
    const printed = Promise.all([text(child.stdout), text(child.stderr)])
    await once(child, 'exit')
    const seconds = (performance.now() - startMs) / 1_000
    endGroup(child.pid, 'SIGTERM')
    const [stdout, stderr] = await printed
    return { commands, seconds, stdout, stderr }
  } finally {
    endGroup(child.pid, 'SIGKILL')
    await rm(folder, { recursive: true })
  }
}

/** Whatever of it is still there. */
function endGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, signal)
  } catch {
    // It has ended by itself.
  }
}
