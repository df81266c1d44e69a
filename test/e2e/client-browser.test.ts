/** `sockpool/client` as browsers get it: what is in its file, and what it does in one. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'esbuild'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { buildClientForBrowsers } from '../../tsup.config.ts'
import { BrowserPage } from '../support/chromium.ts'
import { requireProgram } from '../support/own-program.ts'
import { startServiceFixture } from '../support/service-fixture.ts'

/** Bytes: what a page loads, minified and not compressed. */
const MINIFIED_MAX = 90_000

let folder = ''

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sockpool-client-'))
  await buildClientForBrowsers(folder)
})

afterAll(() => rm(folder, { recursive: true }))

async function bundled(program: string): Promise<string> {
  await writeFile(join(folder, 'page.js'), program)
  const { outputFiles } = await build({
    absWorkingDir: folder,
    entryPoints: ['page.js'],
    bundle: true,
    write: false,
    minify: true,
    format: 'esm',
    platform: 'browser',
  })
  return outputFiles[0]?.text ?? ''
}

describe('the client for browsers', () => {
  test('is one file that imports nothing and has nothing of the service', async () => {
    const text = await readFile(join(folder, 'client.js'), 'utf8')
    const found =
      /^\s*import\b(?!\()[^\n]*|\b(?:require|import)\(["'][^"']*["']\)|\bfrom ["'][^"']+["']/gm.exec(text)
    expect(found?.[0]).toBeUndefined()
    for (const word of [
      'fastify',
      'piscina',
      'worker_threads',
      'node:net',
      'node:http',
      'Atomics',
      // Of the bounds of the service, and of a frame.
      'httpHeaderBytesMax',
      'VALUE',
      'process.env',
    ])
      expect(text.includes(word), word).toBe(false)
    const small = await bundled("export * from './client.js'")
    expect(small.length).toBeLessThan(MINIFIED_MAX)
  })

  test('says what a browser cannot do at once', async () => {
    const { connectPool } = (await import(
      join(folder, 'client.js')
    )) as typeof import('../../src/client/web.ts')
    for (const [url, options] of [
      ['unix:/run/a.sock', {}],
      ['https://a.example', { tls: { ca: 'x' } }],
    ] as const)
      expect(() => connectPool(url, options)).toThrow(expect.objectContaining({ code: 'UNSUPPORTED' }))
  })
})

/** The page's program; what it reports is held against what the same calls give on Node. */
const program = (url: string, token: string | null): string => `
import { connectPool, IncompleteReadError, SockpoolError, StreamReader } from './client.js'

const text = bytes => new TextDecoder().decode(bytes)
const failure = promise => promise.then(value => ({ value }), error => error)

async function play() {
  const pool = connectPool(${JSON.stringify(url)}, { token: ${JSON.stringify(token)} ?? undefined })
  const out = { hasBuffer: typeof Buffer !== 'undefined' }
  const reply = await pool.exchange('demo', { write: 'ping\\n', read: { line: true } })
  out.exchange = [text(reply.data), reply.eof, reply.data instanceof Uint8Array, reply.data.toString()]
  const unknown = await failure(pool.lease('nobody'))
  out.unknown = [unknown instanceof SockpoolError, unknown.code, unknown.status]
  const short = await failure(pool.exchange('demo', { write: 'a', read: { exactly: 9 }, timeoutMs: 50 }))
  out.short = [short.code, short.bytesAccepted]
  out.values = await pool.parse('ndjson', new TextEncoder().encode('{"a":1}\\n[2]'))
  out.leases = (await pool.stats()).leases

  const lease = await pool.lease('demo')
  const { reader, writer } = lease
  writer.write('one\\ntwo;three')
  out.lines = [text(await reader.readLine()), text(await reader.readUntil([';', '::'])), text(await reader.readExactly(5))]
  const bytes = new Uint8Array(1_000_000).map((_, at) => (at * 31) % 251)
  const sending = (async () => {
    for (let at = 0; at < bytes.length; at += 50_000) {
      writer.write(bytes.subarray(at, at + 50_000))
      await writer.drain()
    }
  })()
  const echo = await reader.readExactly(bytes.length)
  await sending
  out.echo = echo.length === bytes.length && echo.every((byte, at) => byte === bytes[at])
  writer.write('{"b":2}\\n')
  out.parsed = await lease.parse('ndjson')
  writer.writeLines(['+OK', '\\r\\n'])
  out.frame = text(await reader.readFrame('resp'))
  writer.writeLines(['<a', '>', Uint8Array.of(0xff, 0), 'xyz'])
  const mark = Uint8Array.of(0xff, 0)
  out.described = [
    text(await reader.readFrame({ delimiter: { start: '<', end: '>' } })),
    (await reader.readFrame({ delimiter: mark })).length,
    text(await reader.readFrame({ fixed: 3 })),
  ]
  out.alone = (await failure(new StreamReader().readFrame('line'))).code
  const caller = new AbortController()
  const waiting = failure(reader.readLine({ signal: caller.signal }))
  caller.abort('why')
  const given = await waiting
  out.aborted = [given.name, given.code, given.cause]
  try {
    lease.toDuplex()
  } catch (error) {
    out.duplex = error.code
  }
  out.released = (await lease.release()).outcome

  const web = await pool.lease('demo')
  const { readable, writable } = web.toWeb()
  const sender = writable.getWriter()
  await sender.write('streams')
  await sender.close()
  out.web = await new Response(readable).text()
  const cut = await pool.lease('demo')
  cut.writer.write('part')
  await cut.reader.peek(4)
  cut.writer.writeEof()
  const incomplete = await failure(cut.reader.readExactly(9))
  out.incomplete = [incomplete instanceof IncompleteReadError, text(incomplete.partial), incomplete.expected]
  await cut.discard()
  const wrong = connectPool(${JSON.stringify(url)}, { token: 'wrong' })
  out.unauthorized = (await failure(wrong.stats())).code
  const nowhere = connectPool('http://127.0.0.1:1', { retry: { attempts: 2 } })
  out.unreachable = (await failure(nowhere.stats())).code
  await pool.close()
  return out
}

const result = await play().catch(error => ({ failed: String(error.stack ?? error) }))
await fetch('/', { method: 'POST', body: JSON.stringify(result) })
`

describe('a page in Chromium', () => {
  test('leases, reads, writes and parses as a program on Node does', async ({ skip }) => {
    const chromium = await requireProgram('chromium', 'the package chromium', skip)
    const page = await BrowserPage.serve()
    onTestFinished(() => page.close())
    const { url, token } = await startServiceFixture({
      demo: true,
      config: { http: { origins: [page.origin] } },
      finally: onTestFinished,
    })
    expect(await page.run(chromium, await bundled(program(url, token)))).toEqual({
      hasBuffer: false,
      exchange: ['ping\n', false, true, 'ping\n'],
      unknown: [true, 'TARGET_NOT_FOUND', 404],
      short: ['READ_TIMEOUT', 1],
      values: [{ a: 1 }, [2]],
      leases: 0,
      lines: ['one\n', 'two;', 'three'],
      echo: true,
      parsed: { b: 2 },
      frame: '+OK\r\n',
      described: ['<a>', 2, 'xyz'],
      alone: 'UNSUPPORTED',
      aborted: ['AbortError', 'ABORTED', 'why'],
      duplex: 'UNSUPPORTED',
      released: 'closed',
      web: 'streams',
      incomplete: [true, 'part', 9],
      unauthorized: 'UNAUTHORIZED',
      unreachable: 'SERVICE_UNREACHABLE',
    })
  })
})
