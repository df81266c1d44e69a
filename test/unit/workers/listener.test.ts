/** A listener of the I/O worker, on the test's own thread. */
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { expect, onTestFinished, test } from 'vitest'
import { LIMITS } from '../../../src/base/limits.ts'
import { Resolver } from '../../../src/egress/resolver.ts'
import type { ListenSpec } from '../../../src/threads/protocol.ts'
import { Listener, type ListenerDeps } from '../../../workers/io/listener.ts'
import { testCertificate } from '../../support/tls-certs.ts'
import { until } from '../../support/until.ts'

const { cert, key } = await testCertificate()

type Open = { readonly listener: Listener; readonly port: number }

async function open(deps: Partial<ListenerDeps>, spec: Partial<ListenSpec> = {}): Promise<Open> {
  const listener = new Listener({
    spec: {
      where: { kind: 'tcp', hosts: ['127.0.0.1'], port: 0 },
      backlog: 1_024,
      reusePort: false,
      tls: null,
      handshakeTimeoutMs: 60_000,
      ...spec,
    },
    announce: () => {},
    onFault: () => {},
    ...deps,
  })
  onTestFinished(() => listener.close())
  const { addresses } = await listener.open(new Resolver())
  listener.serve()
  return { listener, port: addresses[0]?.port ?? 0 }
}

function dial(port: number): Socket {
  const client = connect(port, '127.0.0.1')
  onTestFinished(() => void client.destroy())
  return client.on('error', () => {}).resume()
}

test('Listener disconnects the client whose acceptance fails, tells why, and serves the next', async () => {
  const faults: unknown[] = []
  const announced: number[] = []
  const broken = new Error('broken')
  const { port } = await open({
    announce: incoming => {
      if (announced.push(incoming) === 1) throw broken
    },
    onFault: error => faults.push(error),
  })
  const client = dial(port)
  await until('it was disconnected', () => client.closed)
  expect(faults).toEqual([broken])
  const next = dial(port)
  await until('it was announced', () => announced.length === 2)
  expect(next.destroyed).toBe(false)
})

test.each([
  ['at once where the longest is slow', 0, true],
  ['not where all are quick', 60_000, false],
])(
  'Listener that is full of silent clients lets the next one in %s',
  async (_, handshakeYieldMs, isServed) => {
    const announced: number[] = []
    const { listener, port } = await open(
      { announce: incoming => void announced.push(incoming), handshakeYieldMs },
      { tls: { cert, key } },
    )
    const first = dial(port)
    await until('it is there', () => first.readyState === 'open')
    const silent = Array.from({ length: LIMITS.incomingMax - 1 }, () => dial(port))
    await until('they are there', () => silent.every(client => client.readyState === 'open'))
    const client = connectTls({ host: '127.0.0.1', port, ca: cert, servername: 'localhost' })
    client.on('error', () => {})
    onTestFinished(() => void client.destroy())
    await until('it was served, or cut', () => announced.length === 1 || client.closed)
    expect([client.closed, announced.length]).toEqual([!isServed, isServed ? 1 : 0])
    if (isServed) await until('the first was cut', () => first.closed)
    expect(silent.filter(each => each.closed)).toEqual([])
    expect(listener.takeDropped()).toBe(1)
  },
)
