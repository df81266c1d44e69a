/** What stands in front of a new user: `npm start`, its three lines, the demo, and how the service ends. */
import { readdir, readFile, stat } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { jsonOf, type LeaseView, problemOf } from '../support/api.ts'
import {
  CLI,
  ROOT,
  runCommand,
  type ServiceProcess,
  type ServiceProcessOptions,
  startServiceProcess,
} from '../support/service-process.ts'
import { makeFolder } from '../support/temporary-folder.ts'
import { startUpstream } from '../support/upstream.ts'

async function start(options: ServiceProcessOptions): Promise<ServiceProcess> {
  const service = await startServiceProcess(options)
  onTestFinished(() => service.stop())
  return service
}

/** The arguments of an npm script that is one call of node, in the shell's place or beside it. */
async function script(name: string): Promise<readonly string[]> {
  const { scripts } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'))
  const words = String(scripts[name]).split(' ')
  const [node, file, ...rest] = words[0] === 'exec' ? words.slice(1) : words
  expect(node).toBe('node')
  return [join(ROOT, file ?? ''), ...rest]
}

/** Runs a printed line as a user pastes it. */
async function paste(line: string): Promise<string> {
  const { code, stdout, stderr } = await runCommand(['sh', '-c', line])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return stdout
}

async function expectCurlLinesToWork({ stdout, api }: ServiceProcess): Promise<void> {
  const lines = stdout.filter(line => line.startsWith('curl '))
  expect(lines).toHaveLength(3)
  const [plain = '', tls = '', lease = ''] = lines
  expect(await paste(plain)).toBe('hello\n')
  expect(JSON.parse(await paste(tls))).toEqual({
    data: 'hello\n',
    encoding: 'utf8',
    offset: 0,
    eof: false,
    reused: false,
  })
  const view = JSON.parse(await paste(lease)) as LeaseView
  expect(view).toMatchObject({ target: 'demo', state: 'leased', reused: true })
  expect((await api.held(view).release()).status).toBe(200)
}

describe('npm start', () => {
  test('names its address first and prints three curl lines that work as they stand', async () => {
    const [file = '', serve, ...args] = await script('start')
    expect(serve).toBe('serve')
    const service = await start({ entry: [file], args })
    expect(service.stdout[0]).toMatch(/^listening on http:\/\/127\.0\.0\.1:\d+$/)
    await expectCurlLinesToWork(service)
  })

  test('prints lines without a token under --no-auth', async () => {
    const service = await start({ args: ['--demo', '--no-auth'] })
    expect(service.stdout.join('\n')).not.toContain('Authorization')
    await expectCurlLinesToWork(service)
  })

  test('serves on a unix socket that its owner alone may use', async () => {
    const path = join(await makeFolder(), 'private', 'api.sock')
    const service = await start({ args: ['--demo', '--no-auth'], listen: `unix:${path}` })
    expect(service.stdout[0]).toBe(`listening on unix:${path}`)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    const [plain = ''] = service.stdout.filter(line => line.startsWith('curl '))
    expect(await paste(plain)).toBe('hello\n')
    await service.stop()
    await expect(stat(path)).rejects.toThrow('ENOENT')
  })
})

describe('npm run demo', () => {
  test('plays its whole round over TCP and TLS and exits 0', async () => {
    const { code, stdout, stderr } = await runCommand([process.execPath, ...(await script('demo'))])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    for (const target of ['demo', 'demo-tls'])
      for (const step of ['lease', 'write', 'readline', 'parse', 'release', 'exchange'])
        expect(stdout).toMatch(new RegExp(`^${target} +${step} `, 'm'))
    expect(stdout.trimEnd().split('\n').at(-1)).toBe('done')
  })
})

describe('serve', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)(
    'drains on %s: the held lease works to its release, new ones are refused, then exit 0',
    async signal => {
      const upstream = await startUpstream()
      onTestFinished(() => upstream.close())
      const targets = { script: { host: upstream.host, port: upstream.port } }
      const service = await start({ config: { targets } })
      const { api } = service
      const lease = await api.lease('script')
      const peer = await upstream.next()
      service.signal(signal)
      // Every answer until then is the old one's; the first 503 says that the drain has begun.
      while ((await api.get('/readyz')).status === 200);
      expect(problemOf(await api.get('/readyz')).code).toBe('draining')
      for (const [path, json] of [
        ['/v1/leases', { target: 'script' }],
        ['/v1/exchange', { target: 'script', write: { text: 'x' }, read: 'line' }],
      ] as const) {
        const refused = await api.post(path, { json })
        expect(problemOf(refused)).toMatchObject({ status: 503, code: 'draining', retryable: true })
        expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
      }
      await peer.send('still here\n')
      expect((await lease.call('readline')).text).toBe('still here\n')
      expect((await lease.call('write', { body: 'bye' })).status).toBe(200)
      expect((await peer.received(3)).toString()).toBe('bye')
      expect(jsonOf(await lease.release())).toEqual({ outcome: 'closed', reason: 'policy' })
      expect(await service.exited).toBe(0)
    },
  )

  test('kills what is still leased when limits.drainTimeout is over, and exits 0', async () => {
    const upstream = await startUpstream()
    onTestFinished(() => upstream.close())
    const { host, port } = upstream
    const config = { targets: { script: { host, port } }, limits: { drainTimeout: '300ms' } }
    const service = await start({ config })
    await service.api.lease('script')
    const peer = await upstream.next()
    service.signal('SIGTERM')
    await peer.ended()
    expect(await service.exited).toBe(0)
  })

  test.each([
    ['headers', 'GET /livez HTTP/1.1\r\nHost: a\r\nX-Slow: '],
    ['body', 'POST /v1/exchange HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{'],
  ])('exits 0 though a client never completes its %s', async (_what, text) => {
    const service = await start({})
    const socket = connect(Number(new URL(service.url).port), '127.0.0.1')
    socket.on('error', () => {})
    await new Promise(resolve => socket.write(text, resolve))
    // Answered on another connection, so the first one has been accepted.
    expect((await service.api.get('/livez')).status).toBe(200)
    service.signal('SIGTERM')
    expect(await service.exited).toBe(0)
    socket.destroy()
  })

  test('exits 1 and says what to do where its address is taken', async () => {
    const upstream = await startUpstream()
    onTestFinished(() => upstream.close())
    const listen = `127.0.0.1:${upstream.port}`
    const { code, stdout, stderr } = await runCommand([process.execPath, CLI, 'serve', '--listen', listen])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toContain('choose one with --listen')
  })

  test('takes its tokens from a private file, and refuses one that others may read', async () => {
    const folder = await makeFolder({ tokens: { text: 'ops s3cret-token\n', mode: 0o600 } })
    const service = await start({ args: ['--token-file', join(folder, 'tokens')], config: { auth: {} } })
    expect(service.stdout).toHaveLength(1)
    expect((await service.api.get('/v1/stats')).status).toBe(401)
    expect((await service.api.as('s3cret-token').get('/v1/stats')).status).toBe(200)

    const open = await makeFolder({ tokens: { text: 'ops s3cret-token\n', mode: 0o644 } })
    const args = ['serve', '--listen', '127.0.0.1:0', '--token-file', join(open, 'tokens')]
    const { code, stderr } = await runCommand([process.execPath, CLI, ...args])
    expect(code).toBe(2)
    expect(stderr).toContain('chmod 600')
    expect(stderr).not.toContain('s3cret')
  })
})

describe('the other commands', () => {
  test('exchange speaks through the service and by itself', async () => {
    const service = await start({ args: ['--demo'] })
    const command = [process.execPath, CLI, 'exchange']
    const env = { SOCKPOOL_TOKEN: service.token ?? '' }
    const through = await runCommand([...command, 'demo', '--url', service.url], { stdin: 'one\ntwo\n', env })
    expect(through).toEqual({ code: 0, stdout: 'one\n', stderr: '' })

    const upstream = await startUpstream()
    onTestFinished(() => upstream.close())
    const answering = upstream.next().then(async peer => {
      await peer.received('ping\n'.length)
      await peer.send('pong;rest')
    })
    const place = `${upstream.host}:${upstream.port}`
    const alone = await runCommand([...command, place, '--read', 'until:;'], { stdin: 'ping\n' })
    await answering
    expect(alone).toEqual({ code: 0, stdout: 'pong;', stderr: '' })

    await upstream.close()
    const refused = await runCommand([...command, place], { stdin: 'ping\n' })
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain('connect_refused')
  })

  test('healthcheck exits 0 while the service is ready and 1 when none is there', async () => {
    const service = await start({})
    const command = [process.execPath, CLI, 'healthcheck', '--url', service.url]
    expect((await runCommand(command)).code).toBe(0)
    await service.stop()
    expect((await runCommand(command)).code).toBe(1)
  })

  test('config validate names every error of a file and exits 2', async () => {
    const text = 'ioWorkers: 0\nnope: 1\ntargets: { cache: { host: a, port: 70000 } }\n'
    const file = join(await makeFolder({ 'bad.yaml': { text } }), 'bad.yaml')
    const { code, stderr } = await runCommand([process.execPath, CLI, 'config', 'validate', file])
    expect(code).toBe(2)
    expect(stderr.trimEnd().split('\n').sort()).toEqual([
      expect.stringMatching(/bad\.yaml: ioWorkers: /),
      expect.stringMatching(/bad\.yaml: nope: /),
      expect.stringMatching(/bad\.yaml: targets\.cache\.port: /),
    ])
  })
})

test('the command keeps what was compiled in the cache of its user, and does without where there can be none', async () => {
  const home = await makeFolder()
  // What the tests' own processes keep, they keep elsewhere.
  const unset = ['env', '-u', 'NODE_COMPILE_CACHE', '-u', 'NODE_DISABLE_COMPILE_CACHE']
  const command = [...unset, process.execPath, CLI, 'config', 'print', '--help']
  const { stdout } = await runCommand(command, { env: { HOME: home } })
  expect((await readdir(join(home, '.cache', 'sockpool'))).length).toBe(1)
  expect((await stat(join(home, '.cache'))).mode & 0o077).toBe(0)
  for (const HOME of ['/proc', '/dev/null', join(home, 'nowhere')])
    expect(await runCommand(command, { env: { HOME } })).toEqual({ code: 0, stdout, stderr: '' })
  expect(await readdir(home)).toEqual(['.cache'])
})
