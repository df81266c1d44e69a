/** Programs that know nothing of sockpool, through its front doors: forwards, CONNECT, `sockpool connect`. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type ForwardedService, forwardOnce, forwardsOf, startForwards } from '../support/forward-fixture.ts'
import { requireProgram } from '../support/own-program.ts'
import { startSshd } from '../support/own-sshd.ts'
import { CLI, runCommand } from '../support/service-process.ts'
import { findService, type ServiceName } from '../support/services.ts'

const FREE = '127.0.0.1:0'

let folder = ''

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sockpool-programs-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true })
})

type Skip = (note: string) => never

/** A forward before one of the real servers, on a port and on a unix socket. */
async function inFrontOf(name: ServiceName, skip: Skip, target: object = {}, path?: string) {
  const place = await findService(name, skip)
  const service = await startForwards({
    targets: { it: { ...place, ...target } },
    forwards: [
      { listen: FREE, target: 'it' },
      ...(path === undefined ? [] : [{ listen: `unix:${path}`, target: 'it' }]),
    ],
  })
  return { service, ...(await service.place()) }
}

/** Runs the program, which must end well; what it printed. */
async function run(program: string, args: readonly string[], stdin = '', env: Record<string, string> = {}) {
  const { code, stdout, stderr } = await runCommand([program, ...args], { stdin, env, timeoutMs: 30_000 })
  if (code !== 0) throw new Error(`${program} ended with ${code}: ${stdout}${stderr}`)
  return stdout
}

const idle = (service: ForwardedService) => forwardOnce(service.api, ({ clients }) => clients === 0)

describe('PostgreSQL clients through a forward', () => {
  test('psql queries, by TCP and by the unix socket', async ({ skip }) => {
    const psql = await requireProgram('psql', 'postgresql-client', skip)
    const path = join(folder, '.s.PGSQL.6432')
    const { service, host, port } = await inFrontOf('postgres', skip, {}, path)
    const ask = ['-U', 'postgres', '-d', 'test', '-Atc', 'SELECT 6 * 7']
    expect(await run(psql, ['-h', host, '-p', `${port}`, ...ask])).toBe('42\n')
    expect(await run(psql, ['-h', folder, '-p', '6432', ...ask])).toBe('42\n')
    await idle(service)
    expect((await forwardsOf(service.api)).map(({ accepted, refused }) => [accepted, refused])).toEqual([
      [1, {}],
      [1, {}],
    ])
  })

  test('pgbench runs its transactions on several connections', async ({ skip }) => {
    const pgbench = await requireProgram('pgbench', 'postgresql-contrib', skip)
    const { service, host, port } = await inFrontOf('postgres', skip, { pool: { max: 8 } })
    const script = join(folder, 'transaction.sql')
    await writeFile(script, 'BEGIN; SELECT pg_backend_pid(); SELECT 1; COMMIT;\n')
    const args = [
      '-h',
      host,
      '-p',
      `${port}`,
      '-U',
      'postgres',
      '-n',
      '-c',
      '4',
      '-t',
      '25',
      '-f',
      script,
      'test',
    ]
    expect(await run(pgbench, args)).toMatch(/transactions actually processed: 100\/100/)
    expect((await idle(service)).refused).toEqual({})
  })
})

test('mysql queries through a forward, by TCP and by the unix socket', async ({ skip }) => {
  const mysql = await requireProgram('mysql', 'mariadb-client', skip)
  const path = join(folder, 'mysql.sock')
  const { service, host, port } = await inFrontOf('mariadb', skip, {}, path)
  const ask = ['-u', 'root', '-N', '-B', '-e', 'SELECT 6 * 7']
  expect(await run(mysql, ['-h', host, '-P', `${port}`, '--protocol=TCP', ...ask])).toBe('42\n')
  expect(await run(mysql, ['-S', path, ...ask])).toBe('42\n')
  await idle(service)
})

test('redis-cli asks through a forward, and the next one has its connection', async ({ skip }) => {
  const cli = await requireProgram('redis-cli', 'redis-tools', skip)
  const { service, host, port } = await inFrontOf('redis', skip, { preset: 'redis' })
  for (let round = 1; round <= 3; round++) {
    expect(await run(cli, ['-h', host, '-p', `${port}`, 'PING'])).toBe('PONG\n')
    await forwardOnce(service.api, ({ served }) => served['clean'] === round)
  }
  const piped = await run(cli, ['-h', host, '-p', `${port}`, '--pipe'], '*1\r\n$4\r\nPING\r\n'.repeat(100))
  expect(piped).toMatch(/errors: 0, replies: 100/)
})

test('mosquitto_pub is heard by mosquitto_sub, both through a forward', async ({ skip }) => {
  const pub = await requireProgram('mosquitto_pub', 'mosquitto-clients', skip)
  const sub = await requireProgram('mosquitto_sub', 'mosquitto-clients', skip)
  const { service, host, port } = await inFrontOf('mosquitto', skip, { pool: { max: 4 } })
  const topic = `sockpool/${process.pid}`
  const broker = ['-h', host, '-p', `${port}`, '-t', topic]
  const heard = run(sub, [...broker, '-C', '1', '-W', '20', '-q', '1'])
  // Retained, it reaches whoever subscribes, before or after it.
  await run(pub, [...broker, '-m', 'hello', '-q', '1', '-r'])
  expect(await heard).toBe('hello\n')
  await run(pub, [...broker, '-n', '-q', '1', '-r'])
  await idle(service)
})

describe('programs that speak to the service itself', () => {
  async function page(): Promise<Server> {
    const server = createServer((request, response) => {
      response.end(`${request.method} ${request.headers.upgrade ?? 'plain'}\n`)
    })
    server.listen(0, '127.0.0.1')
    await new Promise(resolve => server.once('listening', resolve))
    onTestFinished(() => void server.close())
    return server
  }

  test('curl --proxytunnel takes the service for a proxy', async ({ skip }) => {
    const curl = await requireProgram('curl', 'curl', skip)
    const { port } = (await page()).address() as AddressInfo
    const service = await startForwards({ targets: { page: { host: '127.0.0.1', port } } })
    const ask = (user: string) =>
      runCommand([curl, '-sS', '--proxytunnel', '-x', service.url, '-U', user, 'http://page:1/'], {
        timeoutMs: 20_000,
      })
    expect(await ask(`me:${service.token}`)).toMatchObject({ code: 0, stdout: 'GET plain\n' })
    const refused = await ask('me:wrong')
    // 56: the proxy refused.
    expect([refused.code, refused.stderr]).toEqual([56, expect.stringContaining('407')])
  })

  test("a request that offers h2c, as Java's client sends it, is answered as it stands", async ({ skip }) => {
    const curl = await requireProgram('curl', 'curl', skip)
    const service = await startForwards({})
    const body = join(folder, 'lines')
    await writeFile(body, 'a\nb\n')
    const answer = await run(curl, [
      '-sS',
      '--http2',
      '-H',
      `Authorization: Bearer ${service.token}`,
      '--data-binary',
      `@${body}`,
      `${service.url}/v1/parse/lines`,
    ])
    expect(JSON.parse(answer)).toEqual({ values: ['a', 'b'] })
  })

  test('ssh runs a command over sockpool connect as its ProxyCommand', async ({ skip }) => {
    const ssh = await requireProgram('ssh', 'openssh-client', skip)
    const { port, key } = await startSshd(skip)
    const service = await startForwards({ targets: { box: { host: '127.0.0.1', port } } })
    const proxy = `${process.execPath} ${CLI} connect box --url ${service.url}`
    const options = [
      `ProxyCommand=${proxy}`,
      `IdentityFile=${key}`,
      'IdentitiesOnly=yes',
      'StrictHostKeyChecking=no',
      'UserKnownHostsFile=/dev/null',
      'LogLevel=ERROR',
      'BatchMode=yes',
    ]
    const args = [...options.flatMap(option => ['-o', option]), '-F', 'none', 'box']
    const env = { SOCKPOOL_TOKEN: service.token ?? '' }
    expect(await run(ssh, [...args, 'cat; echo; echo done'], 'to the box', env)).toBe('to the box\ndone\n')
    // Its exit code is the command's own.
    expect((await runCommand([ssh, ...args, 'exit 7'], { env })).code).toBe(7)
  })
})
