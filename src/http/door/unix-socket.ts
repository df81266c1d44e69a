/**
 * Makes the place of a unix socket safe before the service listens there. The directory decides who may open the socket:
 * a mode set on the socket itself comes after listening has begun, and some systems ignore it.
 */
import { lstat, mkdir, stat, unlink } from 'node:fs/promises'
import { request } from 'node:http'
import { userInfo } from 'node:os'
import { dirname } from 'node:path'

/**
 * Creates the directory if it is missing, and removes a socket that no process serves any more. It never removes any
 * other file.
 *
 * Errors: a plain Error for a directory that belongs to another user or that others may enter, and for another file at
 * the path; `code` EADDRINUSE where a process serves the socket.
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
  if (!found.isSocket())
    throw new Error(`${path} exists and is not a socket; remove it or choose another path`)
  const isServed = await answers(path)
  if (isServed)
    throw Object.assign(new Error(`another process already serves ${path}`), { code: 'EADDRINUSE' })
  await unlink(path)
}

async function checkPrivate(directory: string): Promise<void> {
  const { uid, mode } = await stat(directory)
  const own = userInfo().uid
  if (uid !== own)
    throw new Error(
      `the directory ${directory} belongs to uid ${uid}, not to uid ${own}; choose a directory of your own`,
    )
  if ((mode & 0o077) === 0) return
  const octal = (mode & 0o777).toString(8).padStart(4, '0')
  throw new Error(
    `other users may enter the directory ${directory}, whose mode is ${octal}; run: chmod 700 ${directory}`,
  )
}

/** Whether a process accepts connections on the socket. Only a refused connection proves that none does. */
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
