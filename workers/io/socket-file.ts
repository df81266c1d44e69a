/**
 * The file of a unix socket that is listened on. libuv removes the name that it bound whatever is there at the end,
 * which may be a successor's socket by then. So it binds a name of its own, which is moved to the wanted one, and
 * the file is removed here, where it still is the one that was made.
 */
import { randomBytes } from 'node:crypto'
import { lstatSync, renameSync, type Stats, unlinkSync } from 'node:fs'
import { connect, type Server } from 'node:net'
import { dirname, join } from 'node:path'
import { SockpoolError } from '../../src/base/errors.ts'
import type { Succession } from '../../src/base/succession.ts'
import { UNIX_PATH_BYTES_MAX } from '../../src/base/unix-path.ts'
import type { ListenSpec } from '../../src/threads/protocol.ts'
import { listen } from './bind.ts'
import { systemCode } from './socket-error.ts'

/** Characters of the name that is bound first; fewer where the directory leaves less room. */
const NAME_CHARS = 9
/** A short name may be taken. */
const NAME_TRIES = 16

export class SocketFile {
  readonly path: string
  readonly #made: Stats

  private constructor(path: string, made: Stats) {
    this.path = path
    this.#made = made
  }

  /**
   * Listens on `path`. A socket that nobody serves any more gives way, and so does that of the predecessor: who connects finds
   * the one or the other.
   *
   * Errors: LISTEN_FAILED with EADDRINUSE where a process serves the socket or another kind of file is there; the
   * system's error otherwise. Source: asyncio.start_unix_server, but for the socket in use, which it takes over.
   */
  static async listen(
    server: Server,
    path: string,
    { backlog, succeeds }: Pick<ListenSpec, 'backlog' | 'succeeds'>,
  ): Promise<SocketFile> {
    if (succeeds?.kind !== 'file' || !isFile(statOf(path), succeeds)) await checkFree(path)
    const bound = await listenBeside(server, path, backlog)
    try {
      const made = lstatSync(bound)
      renameSync(bound, path)
      return new SocketFile(path, made)
    } catch (error) {
      server.close()
      throw error
    }
  }

  get succession(): Succession {
    const { dev, ino } = this.#made
    return { kind: 'file', dev, ino }
  }

  /** Removes the file, unless it is gone or another's. */
  remove(): void {
    if (!isFile(statOf(this.path), this.#made)) return
    try {
      unlinkSync(this.path)
    } catch (error) {
      // Whoever took it away in between, or the directory's right to write, did so after this listener's time.
      if (!KEPT.has(systemCode(error))) throw error
    }
  }
}

/** Listens on a name of its own in the directory of `path`, and returns where. */
async function listenBeside(server: Server, path: string, backlog: number): Promise<string> {
  const directory = dirname(path)
  const room = Math.min(NAME_CHARS, UNIX_PATH_BYTES_MAX - Buffer.byteLength(join(directory, 'x')) + 1)
  for (let left = NAME_TRIES; ; left--) {
    const letters = randomBytes(NAME_CHARS).toString('hex')
    const bound = join(directory, `${room === NAME_CHARS ? '.' : ''}${letters}`.slice(0, room))
    try {
      await listen(server, { path: bound, backlog, exclusive: true })
      return bound
    } catch (error) {
      if (room === NAME_CHARS || left === 1 || systemCode(error) !== 'EADDRINUSE') throw error
    }
  }
}

const KEPT: ReadonlySet<string> = new Set(['ENOENT', 'EACCES', 'EPERM', 'EROFS', 'ENOTDIR'])

async function checkFree(path: string): Promise<void> {
  const found = statOf(path)
  if (found === null) return
  const isTaken = !found.isSocket() || (await isServed(path))
  if (isTaken)
    throw new SockpoolError('LISTEN_FAILED', `the address ${path} is already in use`, {
      reason: 'EADDRINUSE',
    })
}

function isFile(found: Stats | null, { dev, ino }: Pick<Stats, 'dev' | 'ino'>): boolean {
  return found !== null && found.dev === dev && found.ino === ino
}

function statOf(path: string): Stats | null {
  return lstatSync(path, { throwIfNoEntry: false }) ?? null
}

/** Only a refusal proves that nobody is there. */
function isServed(path: string): Promise<boolean> {
  return new Promise(resolve => {
    const probe = connect({ path })
    probe.once('connect', () => {
      resolve(true)
      probe.destroy()
    })
    probe.on('error', error => resolve(systemCode(error) !== 'ECONNREFUSED'))
  })
}
