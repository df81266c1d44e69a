import { expect, test } from 'vitest'
import { SockpoolError } from '../../../src/base/errors.ts'
import { harness } from './fakes.ts'

async function startTls(payload?: object, query = '') {
  const { lease, send } = harness()
  const held = await lease()
  const url = `/v1/leases/${held.id}/start_tls${query}`
  const reply = () => send({ method: 'POST', url, ...(payload && { payload }) })
  return { held, reply }
}

test('POST start_tls hands on the known fields and answers what TLS came to', async () => {
  const { held, reply } = await startTls({ servername: 'db.internal', alpn: ['x'], minVersion: 'TLSv1.3' })
  const tls = {
    protocol: 'TLSv1.3',
    cipher: 'TLS_AES_256_GCM_SHA384',
    alpnProtocol: 'x',
    authorized: true,
    servername: 'db.internal',
  }
  Object.assign(held, { connection: { ...held.connection, tls } })
  const answer = await reply()
  expect([answer.statusCode, answer.json()]).toEqual([200, { tls }])
  expect(held.writer.tls).toMatchObject({ servername: 'db.internal', alpn: ['x'], minVersion: 'TLSv1.3' })
  expect(held.writer.tls).toMatchObject({ timeoutMs: 5_000, signal: expect.any(AbortSignal) })
  expect(held.lastOperation).toBe('start_tls')
})

test('POST start_tls needs no body', async () => {
  const { held, reply } = await startTls()
  expect((await reply()).statusCode).toBe(200)
  expect(Object.keys(held.writer.tls ?? {}).sort()).toEqual(['signal', 'timeoutMs'])
})

test.each([
  [{ path: '/etc/passwd' }, ''],
  [{ rejectUnauthorized: false }, ''],
  [{ cert: 'x', key: 'y' }, ''],
  [{ minVersion: 'SSLv3' }, ''],
  [{}, '?timeoutMs=0'],
  [[], ''],
])('POST start_tls with %j%s is invalid_request, and nothing is started', async (payload, query) => {
  const { held, reply } = await startTls(payload, query)
  const answer = await reply()
  expect([answer.statusCode, answer.json().code]).toEqual([400, 'invalid_request'])
  expect(held.writer.tls).toBeNull()
})

test.each([
  ['TLS_FAILED', 502],
  ['STARTTLS_INJECTION', 502],
  ['CONNECT_TIMEOUT', 504],
] as const)('POST start_tls answers %s as %i', async (code, status) => {
  const { held, reply } = await startTls({})
  held.writer.failTls = new SockpoolError(code, 'what happened')
  const answer = await reply()
  expect([answer.statusCode, answer.json().code]).toEqual([status, code.toLowerCase()])
})
