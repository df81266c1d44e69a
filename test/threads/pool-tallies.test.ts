/** What a pool counts for whoever scrapes it, where more than one of its parts has a hand in it. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { ForwardConfig } from '../../src/config/forward.ts'
import { targetOf } from '../support/pool-fixture.ts'
import { RecordedSpans } from '../support/recorded-spans.ts'
import { lostLeases, openTalliedPool } from '../support/tallied-pool.ts'
import { echo, startTestServer } from '../support/test-server.ts'
import { until } from '../support/until.ts'

const FORWARD: ForwardConfig = {
  listen: { kind: 'tcp', host: '127.0.0.1', port: 0 },
  target: 'it',
  mode: 'session',
  tls: null,
  proxyProtocol: false,
}

describe('the lease of a client of a forward', () => {
  type Leave = (client: Socket, server: Socket) => void
  const play = async (leave: Leave) => {
    const spans = RecordedSpans.start(onTestFinished)
    const server = await startTestServer(echo, { tolerant: true })
    const { pool, tally } = openTalliedPool(targetOf(server, { reuse: 'never' }))
    await pool.forwards.open([FORWARD])
    const client = connect(pool.forwards.addresses[0]?.port ?? 0, '127.0.0.1')
    client.on('error', () => {})
    onTestFinished(() => void client.destroy())
    client.write('hello')
    await once(client, 'data')
    leave(client, await server.connection())
    await until('it was counted', () => tally.leased.count === 1)
    const { isFailed, attributes } = await spans.one('sockpool.lease')
    return { lost: lostLeases(tally), isFailed, gone: attributes['sockpool.gone'] }
  }

  test.for<[string, Leave]>([
    ['its client leaves', client => client.end()],
    ['its client is cut off', client => client.resetAndDestroy()],
    ['its target ends first', (_, server) => server.end()],
  ])('is released where %s', async ([, leave]) => {
    expect(await play(leave)).toEqual({ lost: {}, isFailed: false, gone: undefined })
  })

  test('is lost where its target resets the connection', async () => {
    const outcome = await play((_, server) => server.resetAndDestroy())
    expect(outcome).toEqual({ lost: { reset: 1 }, isFailed: true, gone: 'reset' })
  })
})
