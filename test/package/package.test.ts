/**
 * The package as npm packs and installs it: the command, the library, its types, what becomes of it in a bundle, and what
 * it says on an old Node.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join, posix } from 'node:path'
import { createInterface } from 'node:readline'
import { type BuildOptions, build } from 'esbuild'
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest'
import { supportsNode } from '../../src/command/node-version.ts'
import { readPage } from '../support/pages.ts'
import { ROOT, runCommand, startServiceProcess } from '../support/service-process.ts'
import { startUpstream } from '../support/upstream.ts'

const INSTALL_TIMEOUT_MS = 120_000

const packed = inject('packed')
let folder = ''

async function npm(args: readonly string[], cwd: string): Promise<string> {
  const { code, stdout, stderr } = await runCommand(['npm', ...args], {
    cwd,
    timeoutMs: INSTALL_TIMEOUT_MS,
  })
  if (code !== 0) throw new Error(`npm ${args.join(' ')} ended with ${code}: ${stderr}`)
  return stdout
}

/** Runs a module of the folder that uses the installed package, and gives what it printed as JSON. */
async function runModule(text: string): Promise<unknown> {
  const file = join(folder, 'use.mjs')
  await writeFile(file, text)
  const { code, stdout, stderr } = await runCommand([process.execPath, file], { cwd: folder })
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return JSON.parse(stdout)
}

beforeAll(async () => {
  const parent = await mkdtemp(join(tmpdir(), 'sockpool-package-'))
  folder = join(parent, 'user')
  await mkdir(folder)
  await writeFile(join(folder, 'package.json'), '{"name":"user","private":true}')
  const quiet = ['--no-audit', '--no-fund', '--prefer-offline', '--ignore-scripts']
  await npm(['install', ...quiet, packed.tarball], folder)
}, INSTALL_TIMEOUT_MS)

afterAll(() => rm(join(folder, '..'), { recursive: true }))

describe('the package', () => {
  test('holds the bundle, the pages and the licences, and nothing of the checkout besides', () => {
    expect(packed.files).toEqual(
      expect.arrayContaining([
        'dist/cli.js',
        'dist/dashboard/index.html',
        'dist/client-node.js',
        'dist/client.d.ts',
        'dist/client.js',
        'dist/index.js',
        'dist/index.d.ts',
        'dist/io-worker.js',
        'dist/parse-worker.js',
        'dist/piscina.LICENSE',
        'dist/typebox.LICENSE',
        'dist/ws.LICENSE',
        'dist/yaml.LICENSE',
        'docs/library.md',
        'deploy/helm/sockpool/Chart.yaml',
        'deploy/kubernetes/service.yaml',
        'deploy/systemd/sockpool.service',
        'examples/redis/node.mjs',
        'CHANGELOG.md',
        'LICENSE',
        'README.md',
        'SECURITY.md',
      ]),
    )
    const known =
      /^((dist|examples)\/|deploy\/(?!docker|compose)|docs\/(?!api\/)|(CHANGELOG|README|SECURITY)\.md$|LICENSE$|package\.json$)/
    expect(packed.files.filter(file => !known.test(file))).toEqual([])
  })

  test('has what its pages lead to, but for what is of use in a checkout alone', () => {
    const checkout = /^(deploy\/(docker\/|compose)|docs\/(api|images)\/|\.github\/|CONTRIBUTING\.md$)/
    const pages = packed.files.filter(file => /^[^/]+\.md$|^docs\/.*\.md$/.test(file))
    const links = pages.flatMap(page =>
      [...readPage(page).matchAll(/\]\((?![a-z]+:|#)([^)#\s]+)/g)].map(([, link = '']) =>
        posix.join(posix.dirname(page), link),
      ),
    )
    expect(links.length).toBeGreaterThan(100)
    const isThere = (link: string) => packed.files.some(file => file === link || file.startsWith(`${link}/`))
    expect(links.filter(link => !isThere(link) && !checkout.test(link))).toEqual([])
  })

  test('has a command that serves from the bundle', async () => {
    const bin = join(folder, 'node_modules', '.bin', 'sockpool')
    const version = await runCommand([process.execPath, bin, '--version'])
    expect(version).toEqual({ code: 0, stdout: `${packed.version}\n`, stderr: '' })
    const service = await startServiceProcess({ entry: [bin], args: ['--demo'] })
    onTestFinished(() => service.stop())
    for (const target of ['demo', 'demo-tls']) {
      const json = { target, write: { text: `to ${target}\n` }, read: 'line' }
      expect((await service.api.post('/v1/exchange', { json })).text).toBe(`to ${target}\n`)
    }
    const { url, token } = service
    const streamed = await runModule(`
      import { connectPool } from 'sockpool/client'
      const pool = connectPool(${JSON.stringify(url)}, { token: ${JSON.stringify(token)} })
      const lease = await pool.lease('demo')
      lease.writer.write(Buffer.alloc(100_000, 'x') + '\\n')
      const line = await lease.reader.readLine({ limit: 200_000 })
      const { outcome } = await lease.release()
      await pool.close()
      console.log(JSON.stringify([line.length, outcome]))
    `)
    expect(streamed).toEqual([100_001, 'reused'])
    // Long enough for a thread.
    const body = `{"bundled":true}${' '.repeat(2_000)}`
    const parsed = await service.api.post('/v1/parse/json', { body })
    expect(parsed.text).toBe('{"values":[{"bundled":true}]}')
    // Their libraries are loaded in the thread, when they are asked for.
    const listed = await service.api.post('/v1/parse/msgpack', { body: new Uint8Array([0x91, 0x01]) })
    expect(listed.text).toBe('{"values":[[1]]}')
    const records = await service.api.post('/v1/parse/csv?header=true', { body: 'a,b\n1,"2"\n' })
    expect(records.text).toBe('{"values":[{"a":"1","b":"2"}]}')
    const documents = await service.api.post('/v1/parse/xml', { body: '<a b="1">c</a>' })
    expect(documents.text).toBe('{"values":[{"a":{"@b":"1","#text":"c"}}]}')
    const page = await service.api.as(null).get('/dashboard')
    const [, script = ''] = /src="([^"]+\.js)"/.exec(page.text) ?? []
    expect([page.status, (await service.api.as(null).get(script)).status]).toEqual([200, 200])
    const document = JSON.parse((await service.api.get('/openapi.json')).text)
    expect(document.info.version).toBe(packed.version)
    expect((await runCommand([process.execPath, bin, 'demo'])).code).toBe(0)
  })

  test('serves its demo by npx, and stops with it', async () => {
    const { child, lines } = await startNpx(['sockpool', 'serve', '--demo', '--listen', '127.0.0.1:0'], 5)
    const [listening = '', token = '', ...curls] = lines
    expect(listening).toMatch(/^listening on http:\/\/127\.0\.0\.1:\d+$/)
    expect(token).toMatch(/^token: /)
    const [exchange = ''] = curls
    expect(await runCommand(['bash', '-c', exchange])).toEqual({ code: 0, stdout: 'hello\n', stderr: '' })
    const closed = once(child, 'close')
    endGroup(child)
    await closed
    const after = await runCommand(['bash', '-c', exchange])
    expect(after).toMatchObject({ code: 7, stdout: '' })
  })

  test('is a library whose workers lie in the bundle and keep no process alive', async () => {
    const [upstream, other] = [await startUpstream(), await startUpstream()]
    onTestFinished(() => Promise.all([upstream.close(), other.close()]).then(() => {}))
    const { host, port } = upstream
    const answering = (async () => {
      const pooled = await upstream.asking('PING\n'.length)
      await pooled.send('PONG\n')
      const own = await other.next()
      await own.send('hello\n')
    })()
    const used = await runModule(`
      import { createPool, openConnection, SockpoolError } from 'sockpool'
      const pool = await createPool({ targets: { it: { host: '${host}', port: ${port}, reuse: 'clean' } } })
      const { data, reused } = await pool.exchange('it', { write: 'PING\\n', read: { line: true } })
      const values = await pool.parse('ndjson', Buffer.from('{"a":1}\\n[2]'))
      const lease = await pool.lease('it')
      const verdict = await lease.release()
      const unknown = await pool.lease('nobody').catch(error => error)
      const [reader, writer] = await openConnection('${other.host}', ${other.port})
      const line = await reader.readLine()
      writer.close()
      await writer.waitClosed()
      await pool.close()
      const refused = [unknown instanceof SockpoolError, unknown.code]
      console.log(JSON.stringify({ data: data.toString(), reused, verdict, values, refused, line: line.toString() }))
    `)
    await answering
    expect(used).toEqual({
      data: 'PONG\n',
      reused: false,
      verdict: { outcome: 'reused', reason: 'clean' },
      values: [{ a: 1 }, [2]],
      refused: [true, 'TARGET_NOT_FOUND'],
      line: 'hello\n',
    })
  })

  test('loads at its start neither the client for `fetch` that Node has, nor hundreds of files', async () => {
    const { client, files } = (await runModule(`
      import { registerHooks } from 'node:module'
      let files = 0
      registerHooks({ load: (url, context, next) => next(url, (files += url.startsWith('file:') ? 1 : 0, context)) })
      await import('sockpool')
      const client = process.moduleLoadList.filter(name => name.includes('undici'))
      console.log(JSON.stringify({ client, files }))
    `)) as { client: readonly string[]; files: number }
    expect(client).toEqual([])
    expect(files).toBeLessThan(120)
  })

  test('has the client of a service as an export of its own, of the same classes on Node', async () => {
    const used = await runModule(`
      import * as client from 'sockpool/client'
      import * as library from 'sockpool'
      const names = ['connectPool', 'SockpoolError', 'IncompleteReadError', 'LimitOverrunError', 'StreamReader', 'StreamWriter']
      const pool = client.connectPool('unix:/nowhere.sock', { retry: false })
      const { code } = await pool.stats().catch(error => error)
      await pool.close()
      console.log(JSON.stringify({ code, others: names.filter(name => client[name] !== library[name]) }))
    `)
    expect(used).toEqual({ code: 'SERVICE_UNREACHABLE', others: [] })
  })

  test('tells a TypeScript program what it is', async () => {
    const text = `
      import { createPool, type Lease, SockpoolError } from 'sockpool'
      import { connectPool, type RemoteLease } from 'sockpool/client'
      const remote: RemoteLease = await connectPool('http://a.example').lease('it')
      const value: unknown = await remote.parse('json')
      export { value }
      const pool = await createPool({ targets: { it: { host: 'a.example', port: 1 } } })
      const lease: Lease = await pool.lease('it', { waitMs: 5_000 })
      const line: Buffer = await lease.reader.readLine({ timeoutMs: 1_000 })
      // @ts-expect-error a line is no number
      const wrong: number = await lease.reader.readLine()
      export { line, SockpoolError, wrong }
    `
    await writeFile(join(folder, 'use.mts'), text)
    const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc')
    const roots = join(ROOT, 'node_modules', '@types')
    const flags = [
      '--noEmit',
      '--strict',
      '--target',
      'es2024',
      '--module',
      'nodenext',
      '--lib',
      'es2024,esnext.disposable',
    ]
    const { code, stdout } = await runCommand(
      [process.execPath, tsc, ...flags, '--typeRoots', roots, '--types', 'node', 'use.mts'],
      { cwd: folder },
    )
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' })
  })

  test('names the Node it needs and exits 2 on one that is too old', async ({ skip }) => {
    const old = await findOldNode()
    if (old === null) return skip('every node in PATH is new enough')
    const bin = join(folder, 'node_modules', 'sockpool', 'dist', 'cli.js')
    const { code, stdout, stderr } = await runCommand([old, bin, 'serve'])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(`needs Node ${packed.engines}`)
  })
})

/** What is bundled: it uses threads of both kinds, and says what they gave. */
const BUNDLED = `
  const server = await startServer(async (reader, writer) => {
    for await (const line of reader) writer.write(line)
    writer.close()
  }, '127.0.0.1', 0, { pool })
  const target = { host: '127.0.0.1', port: server.address.port }
  const { data } = await pool.exchange(target, { write: 'hello\\n', read: { line: true } })
  const values = await pool.parse('ndjson', Buffer.from('{"a":1}\\n[2]'))
  values.push(...(await pool.parse('csv', Buffer.from('a,"b"'))), ...(await pool.parse('xml', Buffer.from('<a/>'))))
  const zipped = process.getBuiltinModule('node:zlib').gzipSync('c,d')
  // What is compressed is parsed in a process.
  values.push(...(await pool.parse('csv', zipped, { decompress: 'gzip' })))
  await pool.close()
  console.log(JSON.stringify({ data: data.toString(), values }))
`
const ESBUILD_FOLDER = join(ROOT, 'node_modules', '.bin')
const FROM_BUNDLE = {
  code: 0,
  stdout: '{"data":"hello\\n","values":[{"a":1},[2],["a","b"],{"a":""},["c","d"]]}\n',
  stderr: '',
}

describe('a bundle of a program and the package', () => {
  let out = ''
  beforeAll(async () => {
    // Beside no node_modules: what is not in the bundle is not there.
    out = await mkdtemp(join(tmpdir(), 'sockpool-bundle-'))
  })
  afterAll(() => rm(out, { recursive: true }))

  /** Bundles the program as it would be without a word on modules, and gives how it ran. */
  async function bundleAndRun(name: string, text: string, workers: Readonly<Record<string, string>>) {
    await writeFile(join(folder, `${name}.mjs`), text)
    const options: BuildOptions = {
      absWorkingDir: folder,
      entryPoints: { [name]: `./${name}.mjs`, ...workers },
      outdir: join(out, name),
      bundle: true,
      platform: 'node',
      format: 'esm',
      logLevel: 'silent',
    }
    expect((await build(options)).errors).toEqual([])
    return await runCommand([process.execPath, join(out, name, `${name}.js`)], { cwd: out })
  }

  test('is made by the line of docs/library.md, and finds its workers beside itself', async () => {
    const [, line = ''] = /^npx (esbuild .*)$/m.exec(readPage('docs/library.md')) ?? []
    await mkdir(join(folder, 'src'))
    await writeFile(
      join(folder, 'src', 'app.ts'),
      `import { createPool, startServer } from 'sockpool'
      const pool = await createPool()
      ${BUNDLED}`,
    )
    const bundled = await runCommand(['bash', '-c', `"${ESBUILD_FOLDER}"/${line} --log-level=warning`], {
      cwd: folder,
    })
    expect(bundled).toEqual({ code: 0, stdout: '', stderr: '' })
    await rename(join(folder, 'out'), join(out, 'beside'))
    const app = join(out, 'beside', 'app.js')
    expect(await runCommand([process.execPath, app], { cwd: out })).toEqual(FROM_BUNDLE)
  })

  test('for a browser has the client alone, and asks for nothing', async () => {
    await writeFile(
      join(folder, 'page.mjs'),
      `import { connectPool } from 'sockpool/client'\nglobalThis.connect = connectPool`,
    )
    const { errors, metafile } = await build({
      absWorkingDir: folder,
      entryPoints: ['page.mjs'],
      outfile: join(out, 'page.js'),
      bundle: true,
      platform: 'browser',
      format: 'iife',
      metafile: true,
      logLevel: 'silent',
    })
    expect(errors).toEqual([])
    expect(Object.keys(metafile.inputs).toSorted()).toEqual([
      'node_modules/sockpool/dist/client.js',
      'page.mjs',
    ])
    expect(Object.values(metafile.outputs).flatMap(({ imports }) => imports)).toEqual([])
  })

  test('finds its workers where the program says', async () => {
    const text = `import { createPool, startServer } from 'sockpool'
      const ioWorkerFile = new URL('./threads/io.js', import.meta.url)
      const parseWorkerFile = new URL('./threads/parse.js', import.meta.url).href
      const pool = await createPool({ ioWorkerFile, parseWorkerFile })
      ${BUNDLED}`
    const workers = { 'threads/io': 'sockpool/io-worker', 'threads/parse': 'sockpool/parse-worker' }
    expect(await bundleAndRun('named', text, workers)).toEqual(FROM_BUNDLE)
  })

  test('says which worker it lacks, and where', async () => {
    const text = `import { createPool } from 'sockpool'
      const { code, message } = await createPool().catch(error => error)
      console.log(code, message)`
    const { code, stdout } = await bundleAndRun('alone', text, {})
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: `INVALID_REQUEST ioWorkerFile: there is no file ${join(out, 'alone', 'io-worker.js')}: put sockpool/io-worker there, or name its file by ioWorkerFile\n`,
    })
  })
})

/** Starts a command by npx in the folder that has the package, in a group of its own; its first lines on stdout. */
async function startNpx(args: readonly string[], count: number) {
  const child = spawn('npx', ['--no-install', ...args], { cwd: folder, detached: true, stdio: 'pipe' })
  onTestFinished(() => {
    if (child.exitCode === null && child.signalCode === null) endGroup(child)
  })
  const lines: string[] = []
  for await (const line of createInterface({ input: child.stdout })) if (lines.push(line) === count) break
  return { child, lines }
}

/** Ends npx and what it has started. */
function endGroup({ pid }: ChildProcess): void {
  if (pid !== undefined) process.kill(-pid, 'SIGTERM')
}

async function findOldNode(): Promise<string | null> {
  const { PATH = '' } = process.env
  for (const place of PATH.split(delimiter)) {
    const file = join(place, 'node')
    const isThere = await access(file).then(
      () => true,
      () => false,
    )
    if (!isThere) continue
    const { stdout } = await runCommand([file, '--version'])
    if (stdout !== '' && !supportsNode(stdout.trim(), packed.engines)) return file
  }
  return null
}
