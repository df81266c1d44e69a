/** The unix socket: who may enter its directory may call, so the directory is judged before anyone listens. */
import { once } from 'node:events'
import { chmod, lstat, mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { describe, expect, onTestFinished, test } from 'vitest'
import { prepareUnixSocket } from '../../src/http/door/unix-socket.ts'
import { startServiceFixture } from '../support/service-fixture.ts'
import { CLI, runCommand } from '../support/service-process.ts'
import { makeFolder } from '../support/temporary-folder.ts'

function statusOf(socketPath: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath, path: '/livez', agent: false })
    outgoing.once('error', reject).once('response', incoming => {
      incoming.resume()
      resolve(incoming.statusCode ?? 0)
    })
    outgoing.end()
  })
}

const serveAt = (path: string) =>
  startServiceFixture({ config: { listen: `unix:${path}` }, finally: onTestFinished })

describe('serve on a unix socket', () => {
  test('makes a directory that is its own alone, and leaves no socket behind', async () => {
    const directory = join(await makeFolder(), 'run', 'sockpool')
    const path = join(directory, 'api.sock')
    const service = await serveAt(path)
    expect((await lstat(directory)).mode & 0o777).toBe(0o700)
    expect((await lstat(path)).mode & 0o077).toBe(0)
    expect(await statusOf(path)).toBe(200)
    await service.close()
    await expect(lstat(path)).rejects.toThrow('ENOENT')
  })

  test.each(['0710', '0701', '0770', '0755', '0777'])('refuses a directory of mode %s', async octal => {
    const directory = join(await makeFolder(), 'run')
    await mkdir(directory)
    await chmod(directory, Number.parseInt(octal, 8))
    await expect(serveAt(join(directory, 'api.sock'))).rejects.toThrow(
      `mode is ${octal}; run: chmod 700 ${directory}`,
    )
    await expect(lstat(join(directory, 'api.sock'))).rejects.toThrow('ENOENT')
  })

  test('refuses a directory that belongs to someone else', async ({ skip }) => {
    const folder = await makeFolder()
    const { chown } = await import('node:fs/promises')
    if (process.getuid?.() !== 0) skip('only root can give a directory away')
    await chown(folder, 12_345, 12_345)
    await expect(prepareUnixSocket(join(folder, 'api.sock'))).rejects.toThrow(/belongs to uid 12345/)
  })

  test('removes a socket that nobody serves, and no other file', async () => {
    const folder = await makeFolder({ 'data.txt': { text: 'precious' } })
    const path = join(folder, 'api.sock')
    await leaveSocket(path)
    expect((await lstat(path)).isSocket()).toBe(true)
    await serveAt(path)
    expect(await statusOf(path)).toBe(200)

    for (const [name, make] of [
      ['file', (at: string) => writeFile(at, 'precious')],
      ['directory', (at: string) => mkdir(at)],
      ['link', (at: string) => symlink(join(folder, 'data.txt'), at)],
      ['dangling', (at: string) => symlink(join(folder, 'nothing'), at)],
    ] as const) {
      const at = join(folder, name)
      await make(at)
      await expect(serveAt(at), name).rejects.toThrow('exists and is not a socket')
      await lstat(at)
    }
    expect(await readFile(join(folder, 'data.txt'), 'utf8')).toBe('precious')
  })

  test('leaves a socket that is served to its server, whatever that speaks', async () => {
    const folder = await makeFolder()
    const path = join(folder, 'api.sock')
    const other = createServer(socket => socket.on('error', () => {}).end('not HTTP'))
    other.listen(path)
    await once(other, 'listening')
    onTestFinished(() => void other.close())
    await expect(serveAt(path)).rejects.toMatchObject({ code: 'EADDRINUSE' })
    expect((await lstat(path)).isSocket()).toBe(true)

    const busy = join(folder, 'busy.sock')
    await serveAt(busy)
    await expect(serveAt(busy)).rejects.toMatchObject({ code: 'EADDRINUSE' })
    expect(await statusOf(busy)).toBe(200)
  })

  test('exits 1 with what to do about the directory', async () => {
    const folder = await makeFolder()
    await chmod(folder, 0o755)
    const listen = `unix:${join(folder, 'api.sock')}`
    const { code, stdout, stderr } = await runCommand([process.execPath, CLI, 'serve', '--listen', listen])
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toContain(`chmod 700 ${folder}`)
  })
})

/** A server removes its socket under the name that it knows; under another one the file stays. */
async function leaveSocket(path: string): Promise<void> {
  const script = `
    const { renameSync } = require('node:fs')
    const path = ${JSON.stringify(path)}
    const server = require('node:net').createServer().listen(path + '.new', () => {
      renameSync(path + '.new', path)
      server.close()
    })`
  await once(new Worker(script, { eval: true }), 'exit')
}
