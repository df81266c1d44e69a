/**
 * The place of a unix socket, made safe before anyone listens there. Who may open the socket is decided by who may
 * enter its directory: a mode set on the socket after listening comes late, and some systems do not ask for it.
 */
import { lstat, mkdir, stat, unlink } from 'node:fs/promises'
import { request } from 'node:http'
import { userInfo } from 'node:os'
import { dirname } from 'node:path'

/**
 * Makes the directory where it is missing, and removes a socket that nobody serves any more; no other file is ever
 * removed.
 *
 * Errors: a plain Error for a directory that is not ours or that others may enter, and for a file in the way;
 *   `code` EADDRINUSE where a process serves the socket.
 */
export async function prepareUnixSocket(path: string): Promise<void> {
  const directory = dirname(path)
  await mkdir(directory, { recursive: true, mode: 0o700 })
  await checkPrivate(directory)
  const found = await lstat(path).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw error
  })
  if (found === null) return
  if (!found.isSocket()) throw new Error(`${path} exists and is no socket; remove it or choose another path`)
  const isServed = await answers(path)
  if (isServed) throw Object.assign(new Error(`a process serves ${path} already`), { code: 'EADDRINUSE' })
  await unlink(path)
}

async function checkPrivate(directory: string): Promise<void> {
  const { uid, mode } = await stat(directory)
  const own = userInfo().uid
  if (uid !== own)
    throw new Error(`the directory ${directory} belongs to uid ${uid}, not to ${own}; choose one of your own`)
  if ((mode & 0o077) === 0) return
  const octal = (mode & 0o777).toString(8).padStart(4, '0')
  throw new Error(
    `others may enter the directory ${directory}, whose mode is ${octal}; run: chmod 700 ${directory}`,
  )
}

/** Whether a connection to the socket is accepted; that the connect is refused is the one proof that nobody listens. */
function answers(socketPath: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const probe = request({ socketPath, path: '/livez', agent: false })
    probe.once('socket', socket => {
      socket.once('connect', () => {
        resolve(true)
        probe.destroy()
      })
    })
    probe.on('error', error => {
      if ('code' in error && error.code === 'ECONNREFUSED') resolve(false)
      else reject(error)
    })
    probe.end()
  })
}
