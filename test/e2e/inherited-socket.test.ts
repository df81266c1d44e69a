/** `listen: fd:N`: the service takes a socket that it was started with, as service managers hand them over. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rename, rm } from 'node:fs/promises'
import { request } from 'node:http'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Api } from '../support/api.ts'
import { CLI } from '../support/service-process.ts'

/** A socket that listens here, until the service has it. */
async function listening(where: { readonly host: string; readonly port: 0 } | { readonly path: string }) {
  const server = createServer()
  server.listen(where)
  await once(server, 'listening')
  return server
}

/** Starts `serve` with the socket as its descriptor 3, where there is one. */
function serve(server: Server | null, args: readonly string[]): ChildProcess {
  const { fd } = (server as unknown as { readonly _handle: { readonly fd: number } } | null)?._handle ?? {}
  const child = spawn(process.execPath, [CLI, 'serve', ...args], {
    stdio: ['ignore', 'pipe', 'pipe', ...(fd === undefined ? [] : [fd])],
  })
  // It has a descriptor of its own by now, and here nobody is to accept.
  server?.close()
  onTestFinished(async () => {
    if (child.exitCode !== null) return
    child.kill('SIGTERM')
    expect((await once(child, 'exit'))[0]).toBe(0)
  })
  return child
}

async function firstLines(child: ChildProcess, count: number): Promise<string[]> {
  if (child.stdout === null) throw new Error('it has no stdout')
  const lines: string[] = []
  for await (const line of createInterface({ input: child.stdout })) if (lines.push(line) === count) break
  return lines
}

describe('listen: fd:N', () => {
  test('serves on an inherited TCP socket, and names its address', async () => {
    const server = await listening({ host: '127.0.0.1', port: 0 })
    const address = server.address()
    const port = typeof address === 'object' ? address?.port : 0
    const child = serve(server, ['--listen', 'fd:3'])
    const [first, second = ''] = await firstLines(child, 2)
    expect(first).toBe(`listening on http://127.0.0.1:${port}`)
    const api = new Api(`http://127.0.0.1:${port}`, second.replace('token: ', ''))
    expect((await api.get('/v1/stats')).status).toBe(200)
    // Its own names are those of that address, and no others.
    const headers = { host: `evil.example:${port}` }
    const outgoing = request({ port, host: '127.0.0.1', path: '/v1/stats', headers, agent: false }).end()
    const [foreign] = await once(outgoing, 'response')
    foreign.resume()
    expect(foreign.statusCode).toBe(403)
    // It may not be dialled, as any other listener of the service may not.
    expect((await api.post('/v1/leases', { json: { target: { host: '127.0.0.1', port } } })).status).toBe(403)
  })

  test('serves on an inherited unix socket, without a token', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sockpool-fd-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    const path = join(folder, 'api.sock')
    const server = await listening({ path: join(folder, 'made.sock') })
    // Whoever made it removes it by its name.
    await rename(join(folder, 'made.sock'), path)
    const child = serve(server, ['--listen', 'fd:3', '--no-auth'])
    expect(await firstLines(child, 1)).toEqual(['listening on fd:3'])
    const outgoing = request({ socketPath: path, path: '/v1/stats', agent: false }).end()
    const [answer] = await once(outgoing, 'response')
    expect([answer.statusCode, Object.keys(JSON.parse(await text(answer)))]).toEqual([
      200,
      expect.arrayContaining(['leases']),
    ])
  })

  test.each([
    ['no socket', null, ['--listen', 'fd:9'], 1, 'was not started with a socket as fd:9'],
    ['a descriptor of a standard stream', null, ['--listen', 'fd:2'], 2, 'fd:N with N from 3'],
    [
      'a socket of the network without a token',
      { host: '0.0.0.0', port: 0 } as const,
      ['--listen', 'fd:3', '--no-auth'],
      1,
      '--no-auth is accepted on loopback and unix-socket listeners only',
    ],
  ])('does not start on %s', async (_title, where, args, code, said) => {
    const child = serve(where === null ? null : await listening(where), args)
    if (child.stderr === null) throw new Error('it has no stderr')
    const [stderr, [ended]] = await Promise.all([text(child.stderr), once(child, 'exit')])
    expect([ended, stderr]).toEqual([code, expect.stringContaining(said)])
  })
})
