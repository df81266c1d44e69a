/** Clients that send next to nothing: they cost neither the others' time nor their own connection for long. */
import { readdirSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { LIMITS } from '../../src/base/limits.ts'
import { sendRaw } from '../support/raw-http.ts'
import { type ServiceProcess, startServiceProcess } from '../support/service-process.ts'
import { until } from '../support/until.ts'

const SLOW_SOCKETS = 2_000
const ANSWER_MS = 100
const CLOSED_MS = 15_000

let service: ServiceProcess
let port: number

beforeAll(async () => {
  service = await startServiceProcess()
  port = Number(new URL(service.url).port)
})
afterAll(() => service.stop())

type SlowSocket = { readonly socket: Socket; readonly openedAt: number; readonly ended: Promise<number> }

/** `kind` decides what it sends: nothing, half a request line, headers that never end, a header that grows. */
function openSlow(kind: number): Promise<SlowSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true }, () => {
      const openedAt = performance.now()
      if (kind === 1) socket.write('GET /liv')
      if (kind >= 2) socket.write('GET /livez HTTP/1.1\r\nHost: a\r\nX-Slow: ')
      const drip = kind === 3 ? setInterval(() => socket.writable && socket.write('x'), 1_000) : undefined
      const ended = new Promise<number>(done => {
        const end = (): void => {
          clearInterval(drip)
          done(performance.now() - openedAt)
        }
        socket.once('end', end).once('close', end)
      })
      resolve({ socket, openedAt, ended })
    })
    socket.on('error', error => {
      if (socket.connecting) reject(error)
    })
    // It never ends its own side: only the service can close the connection.
    socket.resume()
  })
}

/** Descriptors of the service: what it has closed is gone from here, however the client takes it. */
function descriptors(): number {
  return readdirSync(`/proc/${service.pid}/fd`).length
}

async function timeOf(path: string): Promise<number> {
  const startedAt = performance.now()
  const response = await fetch(new URL(path, service.url))
  await response.arrayBuffer()
  expect(response.status).toBe(200)
  return performance.now() - startedAt
}

describe('slow sockets', () => {
  test('leave /livez under 100 ms, are told why and are closed within 15 s', {
    timeout: 60_000,
  }, async () => {
    await timeOf('/livez')
    const before = descriptors()
    const startedAt = performance.now()
    const slow: SlowSocket[] = []
    onTestFinished(() => {
      for (const { socket } of slow) socket.destroy()
    })
    for (let opened = 0; opened < SLOW_SOCKETS; opened += 100)
      slow.push(...(await Promise.all(Array.from({ length: 100 }, (_, n) => openSlow(n % 4)))))
    const told = sendRaw(port, 'GET /livez HTTP/1.1\r\nHost: a\r\n')
    const times: number[] = []
    let isOver = false
    const probing = (async () => {
      while (!isOver) {
        times.push(await timeOf('/livez'))
        await new Promise(resolve => setTimeout(resolve, 25))
      }
    })()
    // The kernel connects them before the service accepts them.
    await until('all are open', () => descriptors() >= before + SLOW_SOCKETS)
    const ages = await Promise.all(slow.map(({ ended }) => ended))
    const openingMs = (slow.at(-1)?.openedAt ?? 0) - startedAt
    await until('the connections are closed', () => descriptors() < before + 50)
    expect(performance.now() - startedAt - openingMs).toBeLessThan(CLOSED_MS)
    const answer = await told
    expect([answer.status, JSON.parse(answer.body).code]).toEqual([408, 'request_timeout'])
    isOver = true
    await probing
    times.sort((a, b) => a - b)
    expect(times.length).toBeGreaterThan(100)
    expect(times[Math.floor(times.length * 0.95)]).toBeLessThan(ANSWER_MS)
    expect(Math.max(...ages)).toBeLessThan(CLOSED_MS)
    expect(Math.min(...ages)).toBeGreaterThan(LIMITS.httpHeadersTimeoutMs - 1_000)
  })
})

describe('bounds of a request', () => {
  const authorization = (): string => `Authorization: Bearer ${service.token}`

  test('refuse headers and URLs over 8 KiB with 431', async () => {
    const long = 'x'.repeat(LIMITS.httpHeaderBytesMax)
    for (const text of [
      `GET /livez HTTP/1.1\r\nHost: a\r\nX: ${long}\r\n\r\n`,
      `GET /livez?${long} HTTP/1.1\r\nHost: a\r\n\r\n`,
      `GET /livez HTTP/1.1\r\n${'A: 1\r\n'.repeat(3_000)}\r\n`,
    ]) {
      const answer = await sendRaw(port, text)
      expect([answer.status, JSON.parse(answer.body).code]).toEqual([431, 'headers_too_large'])
    }
    const fits = `GET /livez?${'x'.repeat(7_000)} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`
    expect((await sendRaw(port, fits)).status).toBe(200)
  })

  test('end a connection after its share of requests', async () => {
    const requests = 'GET /livez HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(LIMITS.httpRequestsPerSocketMax + 50)
    const { head, body } = await sendRaw(port, requests)
    const all = `${head}\r\n\r\n${body}`
    expect(all.match(/"status":"live"/g)).toHaveLength(LIMITS.httpRequestsPerSocketMax)
    expect(all.toLowerCase()).toContain('connection: close')
  })

  test('refuse a JSON body that is larger than any request, announced or not', async () => {
    const large = JSON.stringify({ target: 'x'.repeat(LIMITS.controlBodyBytesMax) })
    const head = `POST /v1/leases HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${authorization()}\r\nContent-Type: application/json\r\n`
    const announced = await sendRaw(port, `${head}Content-Length: ${large.length}\r\n\r\n${large}`)
    expect([announced.status, JSON.parse(announced.body).code]).toEqual([413, 'body_too_large'])
    const chunk = `${large.length.toString(16)}\r\n${large}\r\n0\r\n\r\n`
    const chunked = await sendRaw(port, `${head}Transfer-Encoding: chunked\r\n\r\n${chunk}`)
    expect([chunked.status, JSON.parse(chunked.body).code]).toEqual([413, 'body_too_large'])
  })
})
