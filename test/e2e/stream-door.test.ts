/** What passes the door on its way out of HTTP: in its turn, at its caller's rate, over TLS and a unix socket too. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { request as httpsRequest } from 'node:https'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { WebSocket } from 'ws'
import { sendRaw } from '../support/raw-http.ts'
import { startServiceFixture } from '../support/service-fixture.ts'
import { openStream, StreamClient } from '../support/stream-client.ts'
import { makeFolder } from '../support/temporary-folder.ts'
import { testCertificate } from '../support/tls-certs.ts'

const KEY = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==']
const HANDSHAKE = [...KEY, 'Sec-WebSocket-Version: 13']

const request = (line: string, ...headers: string[]): string =>
  [`${line} HTTP/1.1`, ...headers, '', ''].join('\r\n')

describe('a request that leaves HTTP', () => {
  test('is answered after those that came before it on its connection', async () => {
    const service = await startServiceFixture({ finally: onTestFinished })
    const host = `Host: 127.0.0.1:${service.port}`
    const token = `Authorization: Bearer ${service.token}`
    const before = request('POST /v1/parse/lines', host, token, 'Content-Length: 4')
    for (const last of [
      request('GET /v1/leases/none/stream', host, token, ...HANDSHAKE),
      request('CONNECT a:1', 'Host: a:1', `Proxy-${token}`),
    ]) {
      const { status, body } = await sendRaw(service.port, `${before}a\nb\n${last}`)
      expect(status).toBe(200)
      expect(body).toMatch(/^\{"values":\["a","b"\]\}HTTP\/1\.1 404 /)
    }
  })

  test('counts at the rate of its token', async () => {
    const sha256 = createHash('sha256').update('slow').digest('hex')
    const slow = { name: 'slow', sha256, targets: ['*'], limits: { requestsPerSecond: 1 } }
    const service = await startServiceFixture({
      config: { auth: { tokens: [slow] } },
      finally: onTestFinished,
    })
    const host = `Host: 127.0.0.1:${service.port}`
    const stream = request('GET /v1/leases/none/stream', host, 'Authorization: Bearer slow', ...HANDSHAKE)
    const tunnel = request('CONNECT a:1', 'Host: a:1', 'Proxy-Authorization: Bearer slow')
    for (const asked of [stream, tunnel]) {
      const answers = await Promise.all(Array.from({ length: 8 }, () => sendRaw(service.port, asked)))
      const late = answers.filter(({ status }) => status === 429)
      expect(late.length).toBeGreaterThan(0)
      expect(answers.filter(({ status }) => status === 404).length).toBe(8 - late.length)
      for (const { body, headers } of late) {
        expect(JSON.parse(body).code).toBe('rate_limited')
        expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)
      }
    }
  })

  test('belongs to the tenant of its token', async () => {
    const tokens = ['one', 'two'].map(name => ({
      name,
      sha256: createHash('sha256').update(name).digest('hex'),
      targets: ['*'],
    }))
    const service = await startServiceFixture({
      demo: true,
      config: { auth: { tokens } },
      finally: onTestFinished,
    })
    const lease = await service.api.as('one').lease('demo')
    const path = `${lease.view.id}/stream`
    await expect(openStream(service.url, path, { headers: { authorization: 'Bearer two' } })).rejects.toThrow(
      '404',
    )
    const stream = await openStream(service.url, path, { headers: { authorization: 'Bearer one' } })
    await service.configure({ auth: { tokens: tokens.slice(1) } })
    service.reload()
    expect(await stream.ended()).toEqual({ code: 1008, reason: 'lease_gone' })
  })
})

describe('a stream', () => {
  test('is opened over TLS', async () => {
    const { cert, key } = await testCertificate()
    const service = await startServiceFixture({
      demo: true,
      config: { http: { tls: { cert: 'cert.pem', key: 'key.pem' } } },
      files: { 'cert.pem': cert, 'key.pem': key },
      finally: onTestFinished,
    })
    const options = {
      ca: cert,
      headers: { authorization: `Bearer ${service.token}`, 'content-type': 'application/json' },
    }
    const { id } = JSON.parse(
      await overTls(`${service.url}/v1/leases`, 'POST', options, '{"target":"demo"}'),
    ) as { id: string }
    const stream = await openStream(service.url, `${id}/stream`, options)
    stream.send(Buffer.from('echo'))
    expect((await stream.bytes(4)).toString()).toBe('echo')
    await overTls(`${service.url}/v1/leases/${id}`, 'DELETE', options)
    expect((await stream.ended()).code).toBe(1000)
  })

  test('is opened on a unix socket', async () => {
    const path = join(await makeFolder(), 'run', 'api.sock')
    const service = await startServiceFixture({
      demo: true,
      config: { listen: `unix:${path}` },
      finally: onTestFinished,
    })
    const socket = new WebSocket(`ws+unix:${path}:/v1/leases/none/stream`, 'sockpool.v1', {
      headers: { authorization: `Bearer ${service.token}` },
    })
    const client = new StreamClient(socket)
    const [, response] = await once(socket, 'unexpected-response')
    expect(response.statusCode).toBe(404)
    response.destroy()
    expect(client.length).toBe(0)
  })
})

type TlsCall = { readonly ca: string; readonly headers: Record<string, string> }

/** The answer as text. */
async function overTls(url: string, method: string, options: TlsCall, body = ''): Promise<string> {
  const outgoing = httpsRequest(url, { ...options, method, agent: false })
  outgoing.end(body)
  const [incoming] = await once(outgoing, 'response')
  let text = ''
  for await (const chunk of incoming) text += chunk
  return text
}
