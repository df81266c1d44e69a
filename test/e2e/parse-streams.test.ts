/** A body that is parsed while it comes, and whose values are sent while the rest of it is parsed. */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { Agent, type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http'
import { connect, type Socket } from 'node:net'
import { promisify } from 'node:util'
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { describe, expect, onTestFinished, test } from 'vitest'
import { jsonOf, problemOf } from '../support/api.ts'
import { useScriptedService } from '../support/scripted-service.ts'
import { untilSteady } from '../support/until.ts'

const BODY_BYTES = 4_194_304

const scripted = useScriptedService(place => ({
  config: { limits: { bodyBytes: BODY_BYTES }, targets: { script: { ...place } } },
}))

const NDJSON = { accept: 'application/x-ndjson' }

type Exchange = {
  readonly request: ClientRequest
  /** The answer, once its head is there. */
  readonly response: Promise<IncomingMessage>
}

/** A request whose body is written bit by bit. */
function open(format: string, headers: Record<string, string> = {}, agent: Agent | false = false): Exchange {
  const request = httpRequest(new URL(`/v1/parse/${format}`, scripted.service.url), {
    method: 'POST',
    headers: { authorization: `Bearer ${scripted.service.token}`, ...NDJSON, ...headers },
    agent,
  })
  const response = new Promise<IncomingMessage>((resolve, reject) => {
    request.once('response', resolve)
    request.on('error', reject)
  })
  // Whoever wants the answer awaits it; a request that the test cuts has none.
  response.catch(() => 'the test hears of it where it waits')
  onTestFinished(() => void request.destroy())
  return { request, response }
}

/** Text of an answer, record by record; `whole` says whether it came to its end. */
async function read(response: IncomingMessage): Promise<{ lines: string[]; whole: boolean }> {
  const chunks: Buffer[] = []
  response.on('data', (chunk: Buffer) => chunks.push(chunk))
  await new Promise(resolve => response.once('close', resolve).on('error', () => 'it broke off'))
  const text = Buffer.concat(chunks).toString()
  return { lines: text.split('\n').filter(line => line !== ''), whole: response.complete }
}

async function residentBytes(): Promise<number> {
  const status = await readFile(`/proc/${scripted.service.pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1_024
}

/** So many lines, with their numbers, as one large piece. */
function records(count: number, padBytes = 80): Buffer {
  const lines = Array.from(
    { length: count },
    (_, index) => `{"index": ${index}, "pad": "${'x'.repeat(padBytes)}"}\n`,
  )
  return Buffer.from(lines.join(''))
}

const idle = async (): Promise<boolean> => {
  const { parse } = jsonOf<{ parse: { busy: number; queued: number } }>(await scripted.api.get('/v1/stats'))
  return parse.busy === 0 && parse.queued === 0
}

describe('a body in parts', () => {
  test('is answered while it comes', async () => {
    const { request, response } = open('ndjson')
    request.write('{"a": 1}\n[2')
    const answer = await response
    expect([answer.statusCode, answer.headers['content-type']]).toEqual([200, 'application/x-ndjson'])
    const [first] = (await once(answer, 'data')) as [Buffer]
    expect(first.toString()).toBe('{"a":1}\n')
    request.write(']\n')
    const [second] = (await once(answer, 'data')) as [Buffer]
    expect(second.toString()).toBe('[2]\n')
    request.end('"last"')
    expect(await read(answer)).toEqual({ lines: ['"last"'], whole: true })
  })

  test.runIf(process.platform === 'linux')(
    'of a hundred megabytes costs no more memory at its end than at its begin',
    async () => {
      const piece = records(1_000, 1_000)
      const count = Math.ceil(120_000_000 / piece.length)
      const { request, response } = open('ndjson')
      const sending = (async () => {
        for (let index = 0; index < count; index++) if (!request.write(piece)) await once(request, 'drain')
        request.end()
      })()
      let lines = 0
      let bytes = 0
      let chunks = 0
      // In the first half what the engines collect as garbage comes to what it will be.
      const most = { early: 0, late: 0 }
      for await (const chunk of (await response) as AsyncIterable<Buffer>) {
        for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, at + 1)) lines += 1
        bytes += chunk.length
        const when = bytes < 60_000_000 ? 'early' : 'late'
        if (chunks++ % 64 === 0) most[when] = Math.max(most[when], await residentBytes())
      }
      await sending
      expect(lines).toBe(count * 1_000)
      expect(most.late - most.early).toBeLessThan(40_000_000)
    },
    300_000,
  )

  test('is not read on while its client reads nothing, and then it is', async () => {
    const piece = records(5_000)
    const count = Math.ceil((BODY_BYTES * 5) / piece.length)
    const { request, response } = open('ndjson', { 'content-length': String(count * piece.length) })
    let sent = 0
    const sending = (async () => {
      for (let index = 0; index < count; index++) {
        if (!request.write(piece)) await once(request, 'drain')
        sent += piece.length
      }
      request.end()
    })()
    const answer = await response
    await untilSteady(() => sent, 1_000)
    while (!(await idle()));
    expect(sent).toBeLessThan(count * piece.length)
    const { lines, whole } = await read(answer)
    await sending
    expect([lines.length, whole]).toEqual([count * 5_000, true])
  }, 60_000)

  test('that may be held whole is taken from a client which sends all before it reads', async () => {
    const body = records(40_000)
    expect(body.length).toBeGreaterThan(3_500_000)
    const { port } = new URL(scripted.service.url)
    const socket = connect({ host: '127.0.0.1', port: Number(port) })
    onTestFinished(() => void socket.destroy())
    socket.pause()
    await write(socket, `${head('ndjson')}content-length: ${body.length}\r\nconnection: close\r\n\r\n`)
    await write(socket, body)
    const chunks: Buffer[] = []
    for await (const chunk of socket as AsyncIterable<Buffer>) chunks.push(chunk)
    const text = Buffer.concat(chunks).toString()
    expect(text.match(/\{"index":\d+/g)?.length).toBe(40_000)
    expect(text.endsWith('\r\n0\r\n\r\n')).toBe(true)
  })

  test('leaves its connection to the next request', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    onTestFinished(() => agent.destroy())
    const ports = new Set<number | undefined>()
    for (let turn = 0; turn < 3; turn++) {
      const { request, response } = open('ndjson', {}, agent)
      request.end(records(10_000))
      const answer = await response
      ports.add(answer.socket.localPort)
      const { lines, whole } = await read(answer)
      expect([lines.length, whole]).toEqual([10_000, true])
    }
    expect(ports.size).toBe(1)
  })

  test('that is wrong in the middle is answered up to there, with the place, and then breaks off', async () => {
    const good = records(10_000)
    const { request, response } = open('ndjson')
    request.write(good)
    request.end('{"index": oops}\n{"index": 3}\n')
    const { lines, whole } = await read(await response)
    expect(whole).toBe(false)
    expect(lines.length).toBe(10_001)
    const last = JSON.parse(lines.at(-1) ?? '') as { problem: object }
    expect(last.problem).toMatchObject({
      status: 422,
      code: 'parse_failed',
      offset: good.length + '{"index": '.length,
    })
  })

  test('that breaks off is no whole answer to fetch and curl', async () => {
    const body = Buffer.concat([records(10_000), Buffer.from('oops\n')])
    const url = new URL('/v1/parse/ndjson', scripted.service.url)
    const headers = { authorization: `Bearer ${scripted.service.token}`, ...NDJSON }
    const response = await fetch(url, { method: 'POST', headers, body })
    expect(response.status).toBe(200)
    let text = ''
    const reading = (async () => {
      for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) text += chunk
    })()
    await expect(reading).rejects.toThrow()
    expect(JSON.parse(text.trim().split('\n').at(-1) ?? '')).toMatchObject({
      problem: { code: 'parse_failed' },
    })
    const asked = [...Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`])]
    const running = promisify(execFile)(
      'sh',
      [
        '-c',
        'yes \'{"a":1}\' | head -200000 | { cat; echo oops; } | curl -s -S --data-binary @- "$@"',
        'sh',
        ...asked,
        url.href,
      ],
      { maxBuffer: 10_000_000 },
    )
    await expect(running).rejects.toMatchObject({ code: 18, stdout: expect.stringContaining('{"problem":{') })
  })

  test('that is wrong before a value was sent is a problem', async () => {
    const answer = await scripted.api.post('/v1/parse/ndjson', { body: '{"a":1}\noops\n', headers: NDJSON })
    expect(problemOf(answer)).toMatchObject({ status: 422, code: 'parse_failed', offset: 8 })
  })

  test('has values of bounded length alone', async () => {
    const { request, response } = open('ndjson')
    request.write('{"a":1}\n')
    const answer = await response
    const reading = read(answer)
    request.on('error', () => 'the answer came before the body had ended')
    request.write(`"${'x'.repeat(BODY_BYTES)}`)
    const { lines, whole } = await reading
    expect([lines[0], whole]).toEqual(['{"a":1}', false])
    expect(JSON.parse(lines[1] ?? '')).toMatchObject({
      problem: { code: 'parse_limit', offset: '{"a":1}\n'.length + BODY_BYTES },
    })
  })

  test.each([
    ['goes', (request: ClientRequest) => void request.destroy()],
    ['ends its side before the body', (request: ClientRequest) => void request.socket?.end()],
  ])('whose client %s is called off', async (_how, leave) => {
    const { request, response } = open('ndjson')
    request.write(records(5_000))
    const answer = await response
    answer.on('error', () => 'the client has gone')
    answer.resume()
    leave(request)
    await new Promise(resolve => answer.once('close', resolve))
    expect(answer.complete).toBe(false)
    while (!(await idle()));
    expect(jsonOf(await scripted.api.post('/v1/parse/json', { body: '1' }))).toEqual({ values: [1] })
  })

  test('is asked for where its client waits for that, and not where the request is refused', async () => {
    const good = open('ndjson', { expect: '100-continue' })
    good.request.flushHeaders()
    await once(good.request, 'continue')
    good.request.end('1\n2\n')
    expect(await read(await good.response)).toEqual({ lines: ['1', '2'], whole: true })
    const bad = open('nonsense', { expect: '100-continue' })
    let asked = false
    bad.request.on('continue', () => {
      asked = true
    })
    bad.request.flushHeaders()
    const answer = await bad.response
    expect([answer.statusCode, asked]).toEqual([404, false])
  })

  test('from a client of HTTP/1.0 is answered up to the end of the connection', async () => {
    const body = records(10_000)
    const { port } = new URL(scripted.service.url)
    const socket = connect({ host: '127.0.0.1', port: Number(port) })
    onTestFinished(() => void socket.destroy())
    socket.write(head('ndjson').replace('HTTP/1.1', 'HTTP/1.0'))
    socket.write(`content-length: ${body.length}\r\n\r\n`)
    socket.write(body)
    const chunks: Buffer[] = []
    for await (const chunk of socket as AsyncIterable<Buffer>) chunks.push(chunk)
    const [top = '', ...rest] = Buffer.concat(chunks).toString().split('\r\n\r\n')
    expect(top).not.toMatch(/transfer-encoding/i)
    expect(rest.join('').split('\n').length).toBe(10_001)
  })
})

const CODINGS = {
  gzip: gzipSync,
  'x-gzip': gzipSync,
  deflate: deflateSync,
  br: brotliCompressSync,
  zstd: zstdCompressSync,
  identity: (bytes: Buffer) => bytes,
}

describe('Content-Encoding', () => {
  const text = '{"a":1}\n[2]\n'
  const post = (query: string, body: Uint8Array, headers: Record<string, string>) =>
    scripted.api.post(`/v1/parse/ndjson${query}`, { body: new Uint8Array(body), headers })

  test.each(Object.entries(CODINGS))('%s is what the body was compressed with', async (coding, compress) => {
    const body = compress(Buffer.from(text))
    const headers = { 'content-encoding': coding }
    expect(jsonOf(await post('', body, headers))).toEqual({ values: [{ a: 1 }, [2]] })
    expect((await post('', body, { ...headers, ...NDJSON })).text).toBe(text)
  })

  test('and the option may both be there, and say the same', async () => {
    const body = gzipSync(text)
    expect((await post('?decompress=gzip', body, { 'content-encoding': 'gzip' })).status).toBe(200)
    expect((await post('?decompress=gzip', body, {})).status).toBe(200)
    const differing = problemOf(await post('?decompress=br', body, { 'content-encoding': 'gzip' }))
    expect(differing).toMatchObject({
      status: 400,
      code: 'invalid_request',
      errors: [{ path: 'decompress' }],
    })
  })

  test.each(['compress', 'gzip, br', 'gzip;q=1'])('%s is refused with those there are', async coding => {
    const answer = await post('', gzipSync(text), { 'content-encoding': coding })
    expect(problemOf(answer)).toMatchObject({ status: 415, code: 'unsupported_media_type' })
    expect(answer.headers.get('accept-encoding')).toBe('gzip, deflate, br, zstd')
  })

  test('keeps the bounds on what comes out', async () => {
    const bomb = gzipSync(Buffer.alloc(BODY_BYTES * 4, '1\n'))
    const problem = problemOf(await post('', bomb, { 'content-encoding': 'gzip', ...NDJSON }))
    expect(problem).toMatchObject({ status: 422, code: 'parse_limit' })
  })
})

function head(format: string): string {
  const { host } = new URL(scripted.service.url)
  const fields = { host, authorization: `Bearer ${scripted.service.token}`, ...NDJSON }
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`)
  return `POST /v1/parse/${format} HTTP/1.1\r\n${lines.join('')}`
}

function write(socket: Socket, bytes: string | Buffer): Promise<void> {
  return new Promise((resolve, reject) => socket.write(bytes, error => (error ? reject(error) : resolve())))
}
