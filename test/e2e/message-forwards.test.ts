/** Forwards in message mode, as the configuration of a service opens them. */
import { once } from 'node:events'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { expect, test } from 'vitest'
import { jsonOf } from '../support/api.ts'
import { makeCertificate } from '../support/certificates.ts'
import { forwardOnce, startForwards, Visitor } from '../support/forward-fixture.ts'
import { bulk, command } from '../support/front-door.ts'
import { startMultiplexPeer } from '../support/multiplex-peer.ts'
import { makeFolder } from '../support/temporary-folder.ts'
import { until } from '../support/until.ts'

const echo = (text: string): string => command('ECHO', text)

/** A service with one such forward; its peer answers each request with that itself. */
async function open(target: object = {}, limits: object = {}) {
  const peer = await startMultiplexPeer('resp', (request, { socket }) => {
    const text = String(request).split('\r\n').at(-2) ?? ''
    if (text !== 'mute') socket.write(text === 'RESET' ? '+RESET\r\n' : bulk(text))
  })
  const service = await startForwards({
    limits: { drainTimeout: 0, ...limits },
    targets: { cache: { host: '127.0.0.1', port: peer.port, frame: 'resp', ...target } },
    forwards: [{ listen: '127.0.0.1:0', target: 'cache', mode: 'message' }],
  })
  return { peer, service, place: await service.place() }
}

test('a forward in message mode serves many clients by few connections', async () => {
  const { peer, service, place } = await open({ pool: { max: 2 } })
  const visitors = await Promise.all(Array.from({ length: 10 }, () => Visitor.at(place)))
  for (let round = 1; round <= 3; round++)
    await Promise.all(
      visitors.map(async (visitor, who) => {
        visitor.write(echo(`${who}`))
        await visitor.received(bulk(`${who}`).repeat(round))
      }),
    )
  expect(peer.accepted).toBeLessThanOrEqual(2)
  const [pinned] = visitors
  pinned?.write(command('SELECT', '5'))
  await pinned?.received(bulk('0').repeat(3) + bulk('5'))
  const row = jsonOf(await service.api.get('/v1/targets/cache'))
  expect(row['messages']).toEqual({ clients: 10, pinned: 1, pins: { select: 1 } })
  for (const { socket } of visitors) socket.end()
  const forward = await forwardOnce(service.api, ({ clients }) => clients === 0)
  expect(forward).toMatchObject({ target: 'cache', mode: 'message', accepted: 10, served: { done: 10 } })
})

test('a forward in message mode answers for a target that does not, within the service’s own time', async () => {
  const { place } = await open({}, { operationTimeout: '300ms' })
  const visitor = await Visitor.at(place)
  visitor.write(echo('mute'))
  const timedOut = '-ERR read_timeout: The read did not finish in time\r\n'
  await visitor.received(timedOut)
  visitor.write(echo('again'))
  await visitor.received(timedOut + bulk('again'))
})

test('a forward in message mode shares what its target shares', async () => {
  const { peer, service, place } = await open({ multiplex: { connections: 1 } })
  const visitors = await Promise.all(Array.from({ length: 5 }, () => Visitor.at(place)))
  await Promise.all(
    visitors.map(async (visitor, who) => {
      visitor.write(echo(`${who}`).repeat(20))
      await visitor.received(bulk(`${who}`).repeat(20))
    }),
  )
  expect(peer.accepted).toBe(1)
  expect(jsonOf(await service.api.get('/v1/targets/cache'))).toMatchObject({
    connections: { leased: 0, multiplexed: 1 },
    messages: { clients: 5, pinned: 0, pins: {} },
  })
})

test('a forward in message mode speaks TLS, and listens on a unix socket', async () => {
  const peer = await startMultiplexPeer('resp', (_, { socket }) => void socket.write(bulk('answer')))
  const { cert, key } = await makeCertificate()
  const path = join(await makeFolder(), 'cache.sock')
  const forward = { target: 'cache', mode: 'message' }
  const service = await startForwards(
    {
      targets: { cache: { host: '127.0.0.1', port: peer.port, frame: 'resp' } },
      forwards: [
        { ...forward, listen: '127.0.0.1:0', tls: { cert: 'cert.pem', key: 'key.pem' } },
        { ...forward, listen: `unix:${path}` },
      ],
    },
    { files: { 'cert.pem': cert, 'key.pem': key } },
  )
  const socket = connectTls({ ...(await service.place()), ca: cert, servername: 'localhost' })
  await once(socket, 'secureConnect')
  for (const visitor of [Visitor.of(socket), await Visitor.at({ path })]) {
    visitor.write(echo('a') + command('SELECT', '1') + echo('b'))
    await visitor.received(bulk('answer').repeat(3))
  }
})

test('a forward in message mode ends its clients with the service', async () => {
  const { service, place } = await open({}, { drainTimeout: '1s' })
  const [idle, busy] = [await Visitor.at(place), await Visitor.at(place)]
  idle.write(echo('a'))
  await idle.received(bulk('a'))
  busy.write(echo('mute'))
  await until('it is under way', () => service.leases === 1)
  const closed = service.close()
  await idle.ended()
  await Promise.all([busy.ended(), closed])
})
