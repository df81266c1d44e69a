/** Forwards while the service changes beneath them: reloads, several I/O workers, the loss of one. */
import { connect } from 'node:net'
import { describe, expect, test } from 'vitest'
import { jsonOf } from '../support/api.ts'
import { type ForwardedService, forwardsOf, startForwards, Visitor } from '../support/forward-fixture.ts'
import { echoLine, startLineServer } from '../support/line-server.ts'
import { refusingPort } from '../support/test-server.ts'
import { until } from '../support/until.ts'

const FREE = '127.0.0.1:0'

const server = (prefix = '') =>
  startLineServer(
    (line, socket) => (prefix === '' ? echoLine(line, socket) : void socket.write(`${prefix}${line}\n`)),
    {
      tolerant: true,
    },
  )

const target = ({ port }: { readonly port: number }, more: object = {}) => ({
  host: '127.0.0.1',
  port,
  ...more,
})

async function reload(service: ForwardedService, config: object): Promise<Record<string, unknown>> {
  await service.configure({ limits: { drainTimeout: 0 }, ...config })
  const answer = await service.api.post('/v1/reload')
  expect(answer.status).toBe(200)
  return jsonOf(answer)
}

const refuses = (place: { readonly host: string; readonly port: number }): Promise<boolean> =>
  new Promise(resolve => {
    const socket = connect(place)
    socket.once('connect', () => {
      socket.destroy()
      resolve(false)
    })
    socket.once('error', () => resolve(true))
  })

describe('a reload', () => {
  test('opens new forwards, closes those that are gone, and leaves their clients alone', async () => {
    const [one, other] = [await server(), await server('other ')]
    const targets = { one: target(one), other: target(other) }
    const [first, second] = [await refusingPort(), await refusingPort()]
    const service = await startForwards({
      targets,
      forwards: [{ listen: `127.0.0.1:${first}`, target: 'one' }],
    })
    const place = { host: '127.0.0.1', port: first }
    const visitor = await Visitor.at(place)
    visitor.write('x\n')
    await visitor.received('x\n')
    const report = await reload(service, {
      targets,
      forwards: [{ listen: `127.0.0.1:${second}`, target: 'other' }],
    })
    expect(report).toMatchObject({
      forwards: { added: 1, changed: 0, removed: 1 },
      ignored: [],
      leasesEnded: 0,
    })
    expect(await refuses(place)).toBe(true)
    const next = await Visitor.at({ host: '127.0.0.1', port: second })
    next.write('y\n')
    await next.received('other y\n')
    visitor.write('z\n')
    await visitor.received('x\nz\n')
    const rows = await forwardsOf(service.api)
    expect(rows.map(({ target: name, state }) => [name, state])).toEqual([
      ['one', 'closed'],
      ['other', 'listening'],
    ])
    visitor.socket.end()
    await visitor.ended()
    await until('its lease has ended', () => service.leases === 1)
    expect(await forwardsOf(service.api)).toHaveLength(1)
  })

  test('has a forward of the same address serve another target, without being bound anew', async () => {
    const [one, other] = [await server(), await server('other ')]
    const targets = { one: target(one), other: target(other) }
    const service = await startForwards({ targets, forwards: [{ listen: FREE, target: 'one' }] })
    const place = await service.place()
    const visitor = await Visitor.at(place)
    visitor.write('x\n')
    await visitor.received('x\n')
    const report = await reload(service, { targets, forwards: [{ listen: FREE, target: 'other' }] })
    expect(report).toMatchObject({ forwards: { changed: 1 } })
    expect(await service.place()).toEqual(place)
    const next = await Visitor.at(place)
    next.write('y\n')
    await next.received('other y\n')
    visitor.write('z\n')
    await visitor.received('x\nz\n')
  })

  test('that cannot open one leaves the others as they are', async () => {
    const one = await server()
    const targets = { one: target(one) }
    const service = await startForwards({ targets, forwards: [{ listen: FREE, target: 'one' }] })
    const place = await service.place()
    await reload(service, {
      targets,
      forwards: [
        { listen: FREE, target: 'one' },
        { listen: `127.0.0.1:${one.port}`, target: 'one' },
      ],
    })
    const visitor = await Visitor.at(place)
    visitor.write('x\n')
    await visitor.received('x\n')
    expect(await forwardsOf(service.api)).toHaveLength(1)
  })

  test('of a configuration with faults changes nothing, and names them', async () => {
    const one = await server()
    const service = await startForwards({
      targets: { one: target(one) },
      forwards: [{ listen: FREE, target: 'one' }],
    })
    await service.configure({
      targets: { one: target(one) },
      forwards: [{ listen: FREE, target: 'none', mode: 'x' }],
    })
    const answer = await service.api.post('/v1/reload')
    expect(answer.status).toBe(400)
    const { errors } = jsonOf(answer) as { errors: { path: string }[] }
    expect(errors.map(({ path }) => path).sort()).toEqual(['forwards.0.mode', 'forwards.0.target'])
    const visitor = await Visitor.at(await service.place())
    visitor.write('x\n')
    await visitor.received('x\n')
  })
})

describe('several I/O workers', () => {
  test('have each client and its connection in one, whatever lies idle in the others', async () => {
    const one = await server()
    const service = await startForwards({
      ioWorkers: 2,
      targets: { one: target(one, { frame: 'line', pool: { max: 2, min: 2 } }) },
      forwards: [
        { listen: FREE, target: 'one' },
        { listen: FREE, target: 'one' },
      ],
    })
    await until('both are warm', () => one.sockets.size === 2)
    for (const index of [0, 1]) {
      const visitors = [
        await Visitor.at(await service.place(index)),
        await Visitor.at(await service.place(index)),
      ]
      for (const visitor of visitors) {
        visitor.write('x\n')
        await visitor.received('x\n')
      }
      const { connections } = jsonOf(await service.api.get('/v1/connections')) as {
        connections: { worker: number; state: string; tenant: string | null }[]
      }
      const leased = connections.filter(({ state }) => state === 'leased')
      expect(new Set(leased.map(({ worker }) => worker)).size).toBe(1)
      for (const visitor of visitors) {
        visitor.socket.end()
        await visitor.ended()
      }
      await until('nobody is served', () => service.leases === 0)
    }
  })
})
