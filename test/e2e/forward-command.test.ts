/** `sockpool forward` and `sockpool connect`, as processes. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { Visitor } from '../support/forward-fixture.ts'
import { echoLine, startLineServer } from '../support/line-server.ts'
import { type ServiceFixture, startServiceFixture } from '../support/service-fixture.ts'
import { CLI, runCommand, startServiceProcess } from '../support/service-process.ts'
import { startTestServer } from '../support/test-server.ts'
import { until } from '../support/until.ts'

let folder = ''

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sockpool-forward-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true })
})

const serviceFor = (port: number): Promise<ServiceFixture> =>
  startServiceFixture({
    config: { limits: { drainTimeout: 0 }, targets: { it: { host: '127.0.0.1', port } } },
    finally: onTestFinished,
  })

type Running = {
  readonly child: ChildProcess
  readonly place: { readonly host: string; readonly port: number }
}

/** Starts `sockpool forward` and resolves once it listens. */
async function startForward(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Running> {
  const child = spawn(process.execPath, [CLI, 'forward', '--listen', '127.0.0.1:0', ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  if (child.stdout === null) throw new Error('it has no stdout')
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  const [, host = '', port = ''] = /^listening on (127\.0\.0\.1):(\d+)$/.exec(line) ?? []
  return { child, place: { host, port: Number(port) } }
}

describe('sockpool forward', () => {
  test('serves clients with a pool of its own, and ends with a signal once they have gone', async () => {
    const { port } = await startLineServer(echoLine, { tolerant: true })
    const file = join(folder, 'own.yaml')
    await writeFile(file, JSON.stringify({ targets: { it: { host: '127.0.0.1', port, frame: 'line' } } }))
    const { child, place } = await startForward(['--target', 'it', '--config', file])
    const visitor = await Visitor.at(place)
    visitor.write('one\n')
    await visitor.received('one\n')
    const exited = once(child, 'exit')
    child.kill('SIGTERM')
    // It listens no more, and the client that it has goes on.
    await until('nobody new is served', () => visitor.text === 'one\n')
    visitor.write('two\n')
    await visitor.received('one\ntwo\n')
    visitor.socket.end()
    expect(await exited).toEqual([0, null])
  })

  test('serves clients message by message with --mode message, where the frame of the target allows it', async () => {
    const { port } = await startLineServer(echoLine, { tolerant: true })
    const file = join(folder, 'message.yaml')
    const upstream = { host: '127.0.0.1', port }
    const targets = { it: { ...upstream, frame: 'line', pool: { max: 1 } }, raw: upstream }
    await writeFile(file, JSON.stringify({ targets }))
    const { child, place } = await startForward(['--target', 'it', '--mode', 'message', '--config', file])
    const visitors = [await Visitor.at(place), await Visitor.at(place)]
    for (const text of ['one\n', 'one\ntwo\n'])
      for (const visitor of visitors) {
        visitor.write(text.slice(-4))
        await visitor.received(text)
      }
    const exited = once(child, 'exit')
    child.kill('SIGTERM')
    await Promise.all(visitors.map(visitor => visitor.ended()))
    expect(await exited).toEqual([0, null])
    const asked = ['forward', '--listen', '127.0.0.1:0', '--mode', 'message', '--config', file]
    const refused = await runCommand([process.execPath, CLI, ...asked, '--target', 'raw'])
    expect(refused.code).toBe(2)
    expect(refused.stderr).toContain('--mode message: raw must have a frame')
  })

  test('leases of a running service with --url', async () => {
    const server = await startLineServer(echoLine, { tolerant: true, halfOpen: true })
    const service = await serviceFor(server.port)
    const env = { SOCKPOOL_TOKEN: service.token ?? '' }
    const { child, place } = await startForward(['--target', 'it', '--url', service.url], env)
    const visitor = await Visitor.at(place)
    visitor.write('one\n')
    await visitor.received('one\n')
    expect(service.leases).toBe(1)
    visitor.socket.end()
    await until('its lease has ended', () => server.sockets.size === 1)
    for (const socket of server.sockets) socket.end()
    await visitor.ended()
    await until('its lease has ended', () => service.leases === 0)
    const broken = await Visitor.at(place)
    broken.write('two\n')
    await broken.received('two\n')
    for (const socket of server.sockets) socket.resetAndDestroy()
    await broken.closed
    expect(broken.error?.code).toBe('ECONNRESET')
    const breaking = await Visitor.at(place)
    breaking.write('three\n')
    await breaking.received('three\n')
    const errors: string[] = []
    for (const socket of server.sockets)
      socket.on('error', (error: NodeJS.ErrnoException) => errors.push(error.code ?? ''))
    breaking.socket.resetAndDestroy()
    await until('its lease has ended', () => server.sockets.size === 0)
    expect(errors).toEqual(['ECONNRESET'])
    const exited = once(child, 'exit')
    child.kill('SIGTERM')
    expect(await exited).toEqual([0, null])
  })

  test('of a service at a unix socket goes on after a client that breaks, and the lease ends', async () => {
    const server = await startLineServer(echoLine, { tolerant: true })
    const config = { targets: { it: { host: '127.0.0.1', port: server.port } } }
    const service = await startServiceProcess({ config, listen: `unix:${join(folder, 'api.sock')}` })
    onTestFinished(() => service.stop())
    const env = { SOCKPOOL_TOKEN: service.token ?? '' }
    const { child, place } = await startForward(['--target', 'it', '--url', service.url], env)
    for (const line of ['one\n', 'two\n']) {
      const visitor = await Visitor.at(place)
      visitor.write(line)
      await visitor.received(line)
      visitor.socket.resetAndDestroy()
      await until('its lease has ended', () => server.sockets.size === 0)
    }
    const exited = once(child, 'exit')
    child.kill('SIGTERM')
    expect(await exited).toEqual([0, null])
  })

  test.each([
    [['--target', 'it'], 2, '--target must be HOST:PORT'],
    [['--target', 'a:1', '--listen', 'nowhere'], 2, '--listen must be'],
    [['--target', 'a:1', '--mode', 'sideways'], 2, 'sideways'],
    [['--listen', '127.0.0.1:0'], 2, '--target'],
    [['--target', 'a:1', '--url', 'http://127.0.0.1:1', '--mode', 'message'], 2, 'session mode'],
  ] as const)('called with %j exits %d and says why', async (args, code, text) => {
    const given = args.includes('--listen' as never) ? args : ['--listen', '127.0.0.1:0', ...args]
    const ended = await runCommand([process.execPath, CLI, 'forward', ...given])
    expect(ended.code).toBe(code)
    expect(ended.stderr).toContain(text)
  })

  test('at an address that is taken exits 1', async () => {
    const { port } = await startLineServer(echoLine, { tolerant: true })
    const args = ['forward', '--listen', `127.0.0.1:${port}`, '--target', '127.0.0.1:1']
    const ended = await runCommand([process.execPath, CLI, ...args])
    expect([ended.code, ended.stderr]).toEqual([1, expect.stringContaining('EADDRINUSE')])
  })
})

describe('sockpool connect', () => {
  test('passes stdin and its end on, and prints what comes to its end', async () => {
    const server = await startTestServer(
      socket => {
        let text = ''
        socket.on('data', (bytes: Buffer) => {
          text += bytes
        })
        socket.on('end', () => socket.end(`it said: ${text}`))
      },
      { halfOpen: true, tolerant: true },
    )
    const service = await serviceFor(server.port)
    const args = [process.execPath, CLI, 'connect', 'it', '--url', service.url]
    const env = { SOCKPOOL_TOKEN: service.token ?? '' }
    const ended = await runCommand(args, { stdin: 'x'.repeat(300_000), env })
    expect([ended.code, ended.stdout, ended.stderr]).toEqual([0, `it said: ${'x'.repeat(300_000)}`, ''])
  })

  test('exits 1 where the connection breaks, or cannot be had', async () => {
    const server = await startTestServer(socket => void socket.once('data', () => socket.resetAndDestroy()), {
      tolerant: true,
    })
    const service = await serviceFor(server.port)
    const ask = (target: string, token: string) =>
      runCommand([process.execPath, CLI, 'connect', target, '--url', service.url, '--token', token], {
        stdin: 'x',
      })
    const [broken, unknown, stranger, nobody] = await Promise.all([
      ask('it', service.token ?? ''),
      ask('nowhere', service.token ?? ''),
      ask('it', 'wrong'),
      runCommand([process.execPath, CLI, 'connect', 'it', '--url', 'http://127.0.0.1:1']),
    ])
    expect([broken.code, broken.stderr]).toEqual([1, expect.stringContaining('broke')])
    expect([unknown.code, unknown.stderr]).toEqual([1, expect.stringContaining('target_not_found')])
    expect([stranger.code, stranger.stderr]).toEqual([1, expect.stringContaining('SOCKPOOL_TOKEN')])
    expect([nobody.code, nobody.stderr]).toEqual([1, expect.stringContaining('cannot reach')])
  })
})
