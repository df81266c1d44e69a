/** What wants to leave HTTP behind, and what comes from pages: both are refused at the door, on every method. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { afterFile } from '../support/after-file.ts'
import { sendRaw } from '../support/raw-http.ts'
import { type ServiceFixture, startServiceFixture } from '../support/service-fixture.ts'

let service: ServiceFixture

beforeAll(async () => {
  service = await startServiceFixture({ finally: afterFile })
})

const authorization = () => `Authorization: Bearer ${service.token}`
const host = () => `Host: 127.0.0.1:${service.port}`

/** The request line and headers, then a blank line. */
function request(line: string, ...headers: string[]): string {
  return [`${line} HTTP/1.1`, ...headers, '', ''].join('\r\n')
}

describe('an upgrade', () => {
  const upgrade = (protocol: string) => ['Connection: keep-alive, Upgrade', `Upgrade: ${protocol}`]
  const key = ['Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version: 13']

  test.each(['websocket', 'WebSocket', 'tcp', 'foo, tcp'])(
    'to %s is answered 400 and closed',
    async protocol => {
      for (const path of ['/v1/leases', '/v1/nowhere', '/livez']) {
        const text = request(`GET ${path}`, host(), authorization(), ...upgrade(protocol), ...key)
        const answer = await sendRaw(service.port, text)
        expect([answer.status, answer.headers.get('connection')]).toEqual([400, 'close'])
        expect(JSON.parse(answer.body)).toMatchObject({ code: 'invalid_request' })
      }
    },
  )

  test('is refused without a token, to a foreign Host and from a page, before anything else', async () => {
    const ask = (...headers: string[]) =>
      sendRaw(service.port, request('GET /v1/leases', ...headers, ...upgrade('websocket'), ...key))
    const close = 'Connection: close'
    expect((await ask(host(), close)).status).toBe(401)
    expect((await ask('Host: evil.example', authorization(), close)).status).toBe(403)
    expect((await ask(host(), authorization(), 'Origin: http://evil.example', close)).status).toBe(403)
    expect((await ask(host(), authorization(), 'Sec-Fetch-Site: cross-site', close)).status).toBe(403)
  })

  test('to h2c, which a client offers and nobody must take, leaves the request as it is', async () => {
    const text = request(
      'POST /v1/parse/lines',
      host(),
      authorization(),
      'Connection: Upgrade, HTTP2-Settings',
      'Upgrade: h2c',
      'HTTP2-Settings: AAMAAABkAAQAAP__',
      'Content-Length: 4',
    )
    const socket = connect(service.port, '127.0.0.1')
    onTestFinished(() => void socket.destroy())
    const answered = async (sent: string): Promise<string> => {
      socket.write(sent)
      const [chunk] = (await once(socket, 'data')) as [Buffer]
      return chunk.toString('latin1')
    }
    expect(await answered(`${text}a\nb\n`)).toMatch(/^HTTP\/1\.1 200 [\s\S]*"values"/)
    expect(await answered(request('GET /livez', host()))).toMatch(/^HTTP\/1\.1 200 [\s\S]*"live"/)
  })
})

describe('CONNECT', () => {
  const ask = (...headers: string[]) =>
    sendRaw(service.port, request('CONNECT example.com:443', 'Host: example.com:443', ...headers))
  const basic = (text: string) => `Proxy-Authorization: Basic ${Buffer.from(text).toString('base64')}`

  test('is answered 407 without a token of ours, wherever else one stands', async () => {
    for (const headers of [[], [authorization()], ['Proxy-Authorization: Bearer nope'], [basic('a:nope')]]) {
      const answer = await ask(...headers)
      expect(answer.status).toBe(407)
      expect(answer.headers.get('proxy-authenticate')).toContain('Basic')
      expect(JSON.parse(answer.body)).toMatchObject({ code: 'unauthorized', status: 407 })
    }
  })

  test('to what no rule allows is answered 403 and closed, and from a page too', async () => {
    for (const header of [`Proxy-Authorization: Bearer ${service.token}`, basic(`any:${service.token}`)]) {
      const answer = await ask(header)
      expect([answer.status, answer.headers.get('connection')]).toEqual([403, 'close'])
      expect((await ask(header, 'Origin: http://evil.example')).status).toBe(403)
      expect((await ask(header, 'Sec-Fetch-Site: same-site')).status).toBe(403)
    }
  })
})

describe('an Expect header', () => {
  test('that is not understood is answered 400', async () => {
    const text = request('POST /v1/leases', host(), authorization(), 'Expect: cookies', 'Content-Length: 2')
    const answer = await sendRaw(service.port, `${text}{}`)
    expect(answer.status).toBe(400)
    expect(JSON.parse(answer.body)).toMatchObject({ code: 'invalid_request' })
  })
})

describe('Host and Origin', () => {
  const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']
  const PATHS = ['/v1/leases', '/v1/leases/x', '/v1/exchange', '/openapi.json', '/v1/nowhere', '/', '*']

  test('are asked for on every method and path, known or not', async () => {
    const refused: [string, number][] = []
    const asked = METHODS.flatMap(method => PATHS.map(path => `${method} ${path}`))
    const closed = 'Connection: close'
    await Promise.all(
      asked.flatMap(line =>
        [
          ['Host: evil.example'],
          [`Host: localhost:1`],
          [host(), 'Origin: http://evil.example'],
          [host(), 'Origin: null'],
          [host(), 'Sec-Fetch-Site: cross-site'],
          [host(), 'Sec-Fetch-Site: same-site'],
        ].map(async headers => {
          const { status } = await sendRaw(service.port, request(line, ...headers, authorization(), closed))
          if (status !== 403) refused.push([`${line} with ${headers.join(', ')}`, status])
        }),
      ),
    )
    expect(refused).toEqual([])
  })

  test('let no answer say that other pages may read it', async () => {
    const preflight = request(
      'OPTIONS /v1/leases',
      host(),
      authorization(),
      'Origin: http://evil.example',
      'Access-Control-Request-Method: POST',
      'Connection: close',
    )
    const { head } = await sendRaw(service.port, preflight)
    expect(head.toLowerCase()).not.toContain('access-control')
  })
})

describe('GET', () => {
  test('has no route that changes anything', async () => {
    const document = JSON.parse((await service.api.get('/openapi.json')).text) as {
      paths: Record<string, { get?: { requestBody?: unknown } }>
    }
    const gets = Object.entries(document.paths).filter(([, methods]) => methods.get)
    expect(gets.map(([path]) => path)).toContain('/v1/leases/{id}')
    for (const [path, methods] of gets) {
      expect(methods.get?.requestBody, path).toBeUndefined()
      expect(path).not.toMatch(
        /read(?!yz)|write|drain|close$|closed$|pause|resume|reconnect|start_tls|accept$/,
      )
    }
  })
})
