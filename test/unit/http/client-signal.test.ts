/** The signal of a caller who has gone: one for all requests of a connection, and none that an answered request would feel. */
import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import fastify, { type FastifyRequest } from 'fastify'
import { expect, onTestFinished, test } from 'vitest'
import { clientSignalOf } from '../../../src/http/bytes/client-signal.ts'
import { until } from '../../support/until.ts'

async function startApp() {
  const app = fastify()
  const requests: FastifyRequest[] = []
  app.get('/', async request => {
    requests.push(request)
    return 'ok'
  })
  onTestFinished(() => app.close())
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  /** As the app sees a request on the connection, once it was answered. */
  const ask = async (client: ReturnType<typeof connect>): Promise<FastifyRequest> => {
    client.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
    await once(client, 'data')
    return requests.at(-1) as FastifyRequest
  }
  return { ask, dial: () => connect(port, '127.0.0.1') }
}

test('clientSignalOf gives the requests of a connection one signal, which fires when that closes and not before', async () => {
  const { ask, dial } = await startApp()
  const [one, other] = [dial(), dial()]
  const signal = clientSignalOf(await ask(one))
  const foreign = clientSignalOf(await ask(other))
  expect(clientSignalOf(await ask(one))).toBe(signal)
  expect([signal.aborted, foreign === signal]).toEqual([false, false])
  one.destroy()
  await until('it has fired', () => signal.aborted)
  expect([signal.reason.code, foreign.aborted]).toEqual(['ABORTED', false])
  other.destroy()
})

test('clientSignalOf of a connection that has closed already has fired', async () => {
  const { ask, dial } = await startApp()
  const client = dial()
  const request = await ask(client)
  client.destroy()
  await until('it is closed', () => request.raw.socket.closed)
  expect(clientSignalOf(request).aborted).toBe(true)
})
