/** What only a real socket shows: framing, vanishing clients, replies to bodies that are still being sent. */
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { SockpoolError } from '../../src/base/errors.ts'
import { type FakeLease, harness, OPS_TOKEN } from '../unit/http/fakes.ts'

const authorization = `Bearer ${OPS_TOKEN}`

async function serve() {
  const made = harness({ listen: { kind: 'tcp', host: '127.0.0.1', port: 0 } })
  await made.app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = made.app.server.address() as AddressInfo
  const url = `http://127.0.0.1:${port}`
  const lease = async (): Promise<FakeLease> => {
    const headers = { authorization, 'content-type': 'application/json' }
    await fetch(`${url}/v1/leases`, { method: 'POST', headers, body: '{"target":"cache"}' })
    const held = made.pool.leases.at(-1)
    if (!held) throw new Error('no lease was made')
    return held
  }
  return { ...made, url, port, lease }
}

/** Sends bytes and gives all that comes back until the server closes. */
function raw(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let reply = ''
    const socket = connect(port, '127.0.0.1', () => socket.write(text))
    onTestFinished(() => void socket.destroy())
    socket.setEncoding('utf8')
    socket.on('data', chunk => {
      reply += chunk
    })
    socket.on('close', () => resolve(reply))
    socket.on('error', reject)
  })
}

function upload(url: string, headers: Record<string, string> = {}) {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const request: ClientRequest = httpRequest(url, {
    method: 'POST',
    agent: false,
    headers: { authorization, 'transfer-encoding': 'chunked', ...headers },
  })
  request.on('response', resolve)
  request.on('error', reject)
  onTestFinished(() => void request.destroy())
  return { request, response: promise }
}

async function jsonOf(response: IncomingMessage): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk)
  return JSON.parse(Buffer.concat(chunks).toString())
}

describe('the HTTP server', () => {
  test('answers garbage and oversized headers with problems', async () => {
    const { port } = await serve()
    const garbage = await raw(port, 'NOT HTTP\r\n\r\n')
    expect(garbage).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/)
    expect(garbage).toContain('application/problem+json')
    const large = await raw(port, `GET /livez HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(9_000)}\r\n\r\n`)
    expect(large).toMatch(/^HTTP\/1\.1 431 /)
    expect(large).toContain('"code":"headers_too_large"')
  })

  test('judges an absolute target by its own authority', async () => {
    const { port } = await serve()
    const ask = (target: string, host: string) =>
      raw(
        port,
        `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nAuthorization: ${authorization}\r\nConnection: close\r\n\r\n`,
      )
    expect(await ask(`http://127.0.0.1:${port}/v1/stats`, `127.0.0.1:${port}`)).toMatch(/^HTTP\/1\.1 200 /)
    expect(await ask('http://evil.example/v1/stats', `127.0.0.1:${port}`)).toMatch(/^HTTP\/1\.1 403 /)
    expect(await ask('/v1/stats', 'evil.example')).toMatch(/^HTTP\/1\.1 403 /)
  })

  test('sends no X-Powered-By and keeps the connection', async () => {
    const { url } = await serve()
    const { headers } = await fetch(`${url}/livez`)
    expect(headers.has('x-powered-by')).toBe(false)
    expect(headers.get('connection')).toBe('keep-alive')
  })

  test('streams an upload into the writer while it comes', async () => {
    const { url, lease } = await serve()
    const held = await lease()
    const { request, response } = upload(`${url}/v1/leases/${held.id}/write`, {
      'content-type': 'application/json',
    })
    request.write('first')
    await held.writer.called(1)
    expect(held.writer.text).toBe('first')
    request.end('second')
    expect(await jsonOf(await response)).toEqual({ accepted: 11, offset: 11 })
  })

  test('answers a write that fails while its body is still coming', async () => {
    const { url, lease } = await serve()
    const held = await lease()
    const { request, response } = upload(`${url}/v1/leases/${held.id}/write`)
    request.write('first')
    await held.writer.called(1)
    held.writer.failWrite = new SockpoolError('WRITE_CLOSED', 'the writing side is closed')
    request.write('second')
    const reply = await response
    expect(reply.headers.connection).toBe('close')
    expect(await jsonOf(reply)).toMatchObject({ code: 'write_closed', bytesAccepted: 5 })
  })

  test('frees the lease for the next write when an uploading client vanishes', async () => {
    const { url, lease } = await serve()
    const held = await lease()
    const { request, response } = upload(`${url}/v1/leases/${held.id}/write`)
    const started = held.nextOperation()
    request.write('half')
    const operation = await started
    await held.writer.called(1)
    request.destroy()
    await expect(response).rejects.toThrow()
    await operation.ended
    const next = await fetch(`${url}/v1/leases/${held.id}/write`, {
      method: 'POST',
      headers: { authorization },
      body: 'whole',
    })
    expect(await next.json()).toEqual({ accepted: 5, offset: 9 })
  })

  test('ends the read of a client that vanished, and keeps the bytes', async () => {
    const { url, lease } = await serve()
    const held = await lease()
    const controller = new AbortController()
    const started = held.nextOperation()
    const pending = fetch(`${url}/v1/leases/${held.id}/readline`, {
      method: 'POST',
      headers: { authorization },
      signal: controller.signal,
    })
    const operation = await started
    controller.abort()
    await expect(pending).rejects.toThrow()
    await operation.ended
    held.reader.feedData(Buffer.from('kept\n'))
    expect(held.reader.buffered).toBe(5)
  })

  test('lets go of a waiting lease request whose client vanished', async () => {
    const { url, pool } = await serve()
    pool.free = new Promise(() => {})
    const controller = new AbortController()
    const asked = pool.nextLease()
    const pending = fetch(`${url}/v1/leases`, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json' },
      body: '{"target":"cache"}',
      signal: controller.signal,
    })
    const { signal } = await asked
    controller.abort()
    await expect(pending).rejects.toThrow()
    await new Promise(resolve => {
      if (signal?.aborted) resolve(null)
      else signal?.addEventListener('abort', resolve)
    })
    expect(pool.leases).toHaveLength(0)
  })

  test('does not take a served request for an aborted one', async () => {
    const { url, lease } = await serve()
    const held = await lease()
    held.reader.feedData(Buffer.from('a\nb\n'))
    for (const text of ['a\n', 'b\n']) {
      const reply = await fetch(`${url}/v1/leases/${held.id}/readline`, {
        method: 'POST',
        headers: { authorization, 'content-type': 'application/json' },
        body: '{}',
      })
      expect(await reply.text()).toBe(text)
    }
  })
})
