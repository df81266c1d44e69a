/**
 * The files of the image as the image runs them, without an engine: alone in a root of their own, as its user, with
 * nothing to write on.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import type { Api } from '../support/api.ts'
import { type BareRoot, layOutRoot, whyNoRoot } from '../support/bare-root.ts'
import { readImage } from '../support/dockerfile.ts'
import { requireProgram } from '../support/own-program.ts'
import { ROOT, runCommand } from '../support/service-process.ts'
import { attendService } from '../support/spawned-service.ts'
import { refusingPort } from '../support/test-server.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'

const SETUP_TIMEOUT_MS = 180_000
const packed = inject('packed')
const image = readImage()
const { devDependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))

let folder = ''
let upstream: Upstream
let root: BareRoot
let missing: string | null = null

beforeAll(async () => {
  missing = await whyNoRoot()
  folder = await mkdtemp(join(tmpdir(), 'sockpool-image-'))
  upstream = await startUpstream()
  const targets = { it: { host: upstream.host, port: upstream.port, reuse: 'clean' } }
  root = await layOutRoot(folder, packed.tarball, {
    image,
    config: JSON.stringify({ targets }),
    // A checkout has it for its own making, as it has the SDK of OpenTelemetry; no dependency asks for it.
    packages: `uplot@${devDependencies.uplot}`,
  })
}, SETUP_TIMEOUT_MS)

afterAll(async () => {
  await upstream.close()
  await rm(folder, { recursive: true })
})

/** Ends the test where the root cannot be entered and need not be. */
function needRoot(skip: (note: string) => never): void {
  if (missing === null) return
  const { SOCKPOOL_TEST_SERVICES } = process.env
  if (SOCKPOOL_TEST_SERVICES === 'required') throw new Error(missing)
  console.warn(`SKIPPED: ${missing}`)
  skip(missing)
}

/** One round trip through the service, over TCP. */
async function exchange(api: Api): Promise<string> {
  const json = { target: 'it', write: { text: 'PING\n' }, read: 'line' }
  const answering = upstream.asking('PING\n'.length).then(peer => peer.send('PONG\n'))
  const [answer] = await Promise.all([api.post('/v1/exchange', { json }), answering])
  return answer.text
}

describe('the files of the image', () => {
  test('are the package, what it depends on and what was asked for, and no tool of its making', async () => {
    const installed = await readdir(join(folder, 'app', 'node_modules'))
    expect(installed).toEqual(expect.arrayContaining(['fastify', 'pino', 'uplot', 'yaml']))
    for (const name of ['typescript', 'vitest', 'tsup', 'esbuild']) expect(installed).not.toContain(name)
    expect(await readdir(join(folder, 'app'))).not.toContain('src')
  })

  test('serve as nobody in a root that nobody can write', async ({ skip }) => {
    needRoot(skip)
    const child = root.start([...image.entrypoint, ...image.cmd], { SOCKPOOL_LISTEN: '0.0.0.0:0' })
    const { url, api } = await attendService(child)
    expect((await api.get('/readyz')).status).toBe(200)
    expect(await exchange(api)).toBe('PONG\n')
    // A parse in a thread, whose file lies beside.
    const body = `{"bare":true}${' '.repeat(2_000)}`
    expect((await api.post('/v1/parse/json', { body })).text).toBe('{"values":[{"bare":true}]}')
    const status = await readFile(`/proc/${child.pid}/status`, 'utf8')
    const [uid = '', gid = ''] = image.user.split(':')
    expect(status).toMatch(new RegExp(`^Uid:(\\s${uid}){4}$`, 'm'))
    expect(status).toMatch(new RegExp(`^Gid:(\\s${gid}){4}$`, 'm'))
    expect(status).toMatch(/^CapEff:\s0+$/m)
    expect(status).toMatch(/^NoNewPrivs:\s1$/m)
    // The command of HEALTHCHECK, which goes by the same variable.
    const port = new URL(url).port
    const healthy = root.start(image.healthcheck, { SOCKPOOL_LISTEN: `0.0.0.0:${port}` })
    expect((await once(healthy, 'exit'))[0]).toBe(0)
    const alone = root.start(image.healthcheck, { SOCKPOOL_LISTEN: `0.0.0.0:${await refusingPort()}` })
    expect((await once(alone, 'exit'))[0]).toBe(1)
  })

  test('share a port among threads, whose socket lies in /tmp', async ({ skip }) => {
    needRoot(skip)
    const env = { SOCKPOOL_LISTEN: '0.0.0.0:0', SOCKPOOL_HTTP_THREADS: '2' }
    const { api } = await attendService(root.start([...image.entrypoint, ...image.cmd], env))
    expect((await api.get('/v1/stats')).status).toBe(200)
  })

  test('cannot be changed by what runs there', async ({ skip }) => {
    needRoot(skip)
    const script = `
      const { writeFileSync } = require('node:fs')
      const codes = ['/app/dist/cli.js', '/app/new', '/etc/sockpool/config.yaml', '/new', '/tmp/new'].map(path => {
        try { writeFileSync(path, '') } catch ({ code }) { return code }
        return 'written'
      })
      console.log(JSON.stringify(codes))
    `
    const child = root.start([image.entrypoint[0] ?? '', '--eval', script])
    if (child.stdout === null) throw new Error('it has no stdout')
    expect(JSON.parse(await text(child.stdout))).toEqual(['EROFS', 'EROFS', 'EROFS', 'EROFS', 'written'])
  })
})

describe('the command in the image', () => {
  test('serves on the socket that systemd has opened', async ({ skip }) => {
    const activate = await requireProgram('systemd-socket-activate', 'systemd', skip)
    const port = await refusingPort()
    const cli = join(folder, 'app', 'dist', 'cli.js')
    const config = join(folder, 'etc', 'sockpool', 'config.yaml')
    const child = spawn(activate, [
      `--listen=127.0.0.1:${port}`,
      process.execPath,
      cli,
      ...['serve', '--config', config, '--listen', 'fd:3'],
    ])
    // It starts what it is to start when somebody calls, and the call waits for that.
    const called = runCommand([
      'curl',
      '--silent',
      '--retry',
      '5',
      '--retry-connrefused',
      `http://127.0.0.1:${port}/readyz`,
    ])
    const { url, api } = await attendService(child)
    expect(url).toBe(`http://127.0.0.1:${port}`)
    expect(await called).toMatchObject({ code: 0, stdout: expect.stringContaining('ready') })
    expect(await exchange(api)).toBe('PONG\n')
  })
})
