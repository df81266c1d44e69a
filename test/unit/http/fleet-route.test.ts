import { expect, test } from 'vitest'
import type { FleetRows } from '../../../src/base/fleet-data.ts'
import type { FleetPort } from '../../../src/http/ports.ts'
import { DEV_TOKEN, harness } from './fakes.ts'

const ROWS: FleetRows = {
  instances: [
    {
      name: 'pool-a',
      url: 'http://10.1.2.3:7070',
      leases: 3,
      connections: 4,
      seenAt: '2026-11-28T23:30:53.338Z',
      startedAt: '2026-11-28T20:00:00.000Z',
      version: '0.2.0',
    },
  ],
  caps: {
    cache: { cap: 200, held: 97, byInstance: { 'pool-a': 61, 'pool-b': 36 } },
    // Names that an object of the language has already.
    constructor: { cap: 1, held: 0, byInstance: {} },
  },
}

/** A fleet whose engine goes away while it is asked. */
function fleetOf(after: FleetPort['state'], rows: FleetRows = ROWS): FleetPort {
  let state: FleetPort['state'] = 'joined'
  return {
    name: 'pool-a',
    get state() {
      return state
    },
    ownerOf: () => ({ kind: 'own' }),
    newId: () => 'a-listener',
    rows: async () => {
      state = after
      return rows
    },
    secret: null,
    secrets: [],
    tls: undefined,
  }
}

test('GET /v1/fleet says that there is none where none is configured', async () => {
  const reply = await harness().send({ url: '/v1/fleet' })
  expect([reply.statusCode, reply.json()]).toEqual([
    200,
    { state: 'alone', name: null, instances: [], caps: {} },
  ])
})

test.each(['joined', 'degraded'] as const)('GET /v1/fleet shows all rows of one that is %s', async state => {
  const { send } = harness({ fleet: fleetOf(state) })
  expect((await send({ url: '/v1/fleet' })).json()).toEqual({ state, name: 'pool-a', ...ROWS })
})

test('GET /v1/fleet is for an admin alone, in a fleet and without one', async () => {
  for (const deps of [{}, { fleet: fleetOf('joined') }]) {
    const { send } = harness(deps)
    const denied = await send({ url: '/v1/fleet', headers: { authorization: `Bearer ${DEV_TOKEN}` } })
    expect([denied.statusCode, denied.json().code]).toEqual([403, 'forbidden'])
  }
})

test('GET /v1/fleet has an example in the document that shows a cap', async () => {
  const document = (await harness().send({ url: '/openapi.json' })).json()
  const { content } = document.paths['/v1/fleet'].get.responses['200']
  expect(content['application/json'].example).toMatchObject({
    instances: [{ name: 'pool-a' }],
    caps: { cache: { cap: 200, held: 97, byInstance: { 'pool-a': 61, 'pool-b': 36 } } },
  })
})
