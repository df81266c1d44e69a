/**
 * Answers that come before the request's body was read. A client that sends all before it reads, as Python's http.client
 * does, sees the answer and never a reset; and a client that asks whether to go on is told before it sends.
 */
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { describe, expect, onTestFinished, test } from 'vitest'
import { LIMITS } from '../../src/base/limits.ts'
import { RawConnection } from '../support/raw-connection.ts'
import { type ServiceFixture, startServiceFixture } from '../support/service-fixture.ts'
import { makeFolder } from '../support/temporary-folder.ts'
import { testCertificate } from '../support/tls-certs.ts'

const BODY_BYTES = 18_000_000
const GONE = `/v1/leases/${'x'.repeat(43)}`

type Door = { readonly service: ServiceFixture; readonly open: () => Socket }

async function openTcp(): Promise<Door> {
  const service = await startServiceFixture({ demo: true, finally: onTestFinished })
  return { service, open: () => connect({ host: '127.0.0.1', port: service.port, allowHalfOpen: true }) }
}

const DOORS: Readonly<Record<string, () => Promise<Door>>> = {
  TCP: openTcp,
  TLS: async () => {
    const { cert, key } = await testCertificate()
    const service = await startServiceFixture({
      config: { http: { tls: { cert: 'cert.pem', key: 'key.pem' } } },
      files: { 'cert.pem': cert, 'key.pem': key },
      finally: onTestFinished,
    })
    const options = { host: '127.0.0.1', ca: cert, servername: 'localhost', allowHalfOpen: true }
    return { service, open: () => connectTls({ ...options, port: service.port }) }
  },
  'a unix socket': async () => {
    const path = join(await makeFolder(), 'run', 'api.sock')
    const service = await startServiceFixture({ config: { listen: `unix:${path}` }, finally: onTestFinished })
    return { service, open: () => connect({ path, allowHalfOpen: true }) }
  },
}

/** Sends everything before it reads anything; what came then, up to the end of the connection. */
async function sendThenRead(socket: Socket, pieces: readonly (string | Uint8Array)[]): Promise<string> {
  onTestFinished(() => void socket.destroy())
  socket.pause()
  return await new Promise((resolve, reject) => {
    socket.once('error', reject)
    socket.write(Buffer.concat(pieces.map(piece => Buffer.from(piece))), () => {
      let text = ''
      socket.setEncoding('latin1').on('data', chunk => {
        text += chunk
      })
      socket.once('end', () => {
        socket.end()
        resolve(text)
      })
      socket.resume()
    })
  })
}

function head(service: ServiceFixture, path: string, headers: string, token = service.token): string {
  return (
    `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1:${service.port}\r\n` +
    `Authorization: Bearer ${token}\r\n${headers}\r\n`
  )
}

const length = `Content-Length: ${BODY_BYTES}\r\n`
const body = Buffer.alloc(BODY_BYTES, 'x')

describe.each(Object.keys(DOORS))('over %s', name => {
  test('an answer that comes before the body is seen by a client that sends all of it first', async () => {
    const { service, open } = await (DOORS[name] as (typeof DOORS)[string])()
    const json = 'Content-Type: application/json\r\n'
    const cases: [string, number, string, (string | Uint8Array)[]][] = [
      [
        'a write to a lease that is gone',
        404,
        'lease_not_found',
        [head(service, `${GONE}/write`, length), body],
      ],
      [
        'the same in chunks',
        404,
        'lease_not_found',
        [
          head(service, `${GONE}/write`, 'Transfer-Encoding: chunked\r\n'),
          `${BODY_BYTES.toString(16)}\r\n`,
          body,
          '\r\n0\r\n\r\n',
        ],
      ],
      [
        'a body over the limit in chunks',
        413,
        'body_too_large',
        [
          head(service, '/v1/exchange', 'Transfer-Encoding: chunked\r\n'),
          `${BODY_BYTES.toString(16)}\r\n`,
          body,
          '\r\n0\r\n\r\n',
        ],
      ],
      ['no token', 401, 'unauthorized', [head(service, '/v1/exchange', length, 'nobody'), body]],
      ['no route', 404, 'not_found', [head(service, '/v1/nowhere', length), body]],
      ['a bad URL', 400, 'invalid_request', [head(service, '/v1/%zz', length), body]],
      ['a body over the limit', 413, 'body_too_large', [head(service, '/v1/exchange', length + json), body]],
      [
        'a type that nobody reads',
        415,
        'unsupported_media_type',
        [head(service, `${GONE}/read`, `${length}Content-Type: a/b\r\n`), body],
      ],
    ]
    for (const [title, status, code, pieces] of cases) {
      const text = await sendThenRead(open(), pieces)
      expect(text, title).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
      expect(text, title).toContain(`"code":"${code}"`)
      expect(text.toLowerCase(), title).toContain('connection: close')
    }
  })
})

describe('a client that does not end its side', () => {
  test('gets the answer and the end at once, and is cut when it sends without end', async () => {
    const { service } = await openTcp()
    const connection = RawConnection.open(service.port)
    onTestFinished(() => void connection.socket.destroy())
    connection.send(head(service, `${GONE}/write`, 'Content-Length: 9999999999\r\n'))
    await connection.answers(1)
    await connection.over()
    expect(connection.error).toBeNull()
    const chunk = Buffer.alloc(1_048_576)
    let sent = 0
    while (!connection.socket.destroyed) {
      sent += chunk.length
      await new Promise<void>(resolve => connection.socket.write(chunk, () => resolve()))
      expect(sent).toBeLessThan(LIMITS.httpLingerBytes * 2)
    }
    expect(sent).toBeGreaterThan(LIMITS.httpLingerBytes / 2)
  })

  test('and asks a second thing behind the body gets no second answer', async () => {
    const { service } = await openTcp()
    const lease = await service.api.lease('demo')
    const connection = RawConnection.open(service.port)
    onTestFinished(() => void connection.socket.destroy())
    const release = `DELETE ${lease.path} HTTP/1.1\r\nHost: 127.0.0.1:${service.port}\r\nAuthorization: Bearer ${service.token}\r\n\r\n`
    connection.send(head(service, `${GONE}/write`, 'Content-Length: 4\r\n'))
    await connection.answers(1)
    connection.send(`body${release}`)
    await connection.over()
    expect(connection.statuses).toEqual([404])
    expect((await lease.look()).status).toBe(200)
    await lease.release()
  })
})

describe('Expect: 100-continue', () => {
  test('is answered by the refusal alone, and by 100 where the body is read', async () => {
    const { service } = await openTcp()
    const lease = await service.api.lease('demo')
    const refused = RawConnection.open(service.port)
    const served = RawConnection.open(service.port)
    onTestFinished(() => {
      refused.socket.destroy()
      served.socket.destroy()
    })
    const expecting = 'Content-Length: 5\r\nExpect: 100-continue\r\n'
    refused.send(head(service, `${GONE}/write`, expecting))
    await refused.over()
    expect(refused.statuses).toEqual([404])
    served.send(head(service, `${lease.path}/write`, expecting))
    await served.answers(1)
    served.send('hello')
    await served.answers(2)
    expect(served.statuses).toEqual([100, 200])
    expect(served.text).toContain('{"accepted":5,"offset":5}')
    const lines = '["more"]'
    const json = `Content-Type: application/json\r\nContent-Length: ${lines.length}\r\n`
    served.send(head(service, `${lease.path}/writelines`, `${json}Expect: 100-continue\r\n`))
    await served.answers(3)
    served.send(lines)
    await served.answers(4)
    expect(served.statuses).toEqual([100, 200, 100, 200])
    await lease.release()
  })
})
