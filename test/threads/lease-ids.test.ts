/** Ids of leases that a service makes itself. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { LIMITS } from '../../src/base/limits.ts'
import { openServicePool, targetOf } from '../support/pool-fixture.ts'
import { startTestServer } from '../support/test-server.ts'

const SPEC = { backlog: 100, reusePort: false, tls: null, handshakeTimeoutMs: 5_000 }

test('a lease has the id that its service makes for it, made once, and is killed by it', async () => {
  const server = await startTestServer(() => {})
  let made = 0
  const leaseIds = (): string => `own.${made++}`
  const pool = openServicePool({ targets: { it: targetOf(server) } }, { leaseIds })
  const [one, two] = [await pool.lease('it'), await pool.lease('it')]
  expect([one.id, two.id, one.id]).toEqual(['own.0', 'own.1', 'own.0'])
  expect(await pool.kill('own.1')).toEqual({ killed: 'lease' })
  expect(two.gone).toBe('killed')
  expect(one.gone).toBeNull()
  await one.discard()
})

test('a lease of a connection that was accepted has such an id too', async () => {
  const pool = openServicePool({}, { leaseIds: () => 'own.accepted' })
  const options = { tenant: 'one', backlog: 10, maxConnections: null, ttlMs: LIMITS.listenerTtlMs }
  const listener = await pool.listenForLeases({ host: '127.0.0.1', port: 0 }, SPEC, options)
  const socket = connect(listener.address.port, listener.address.address)
  onTestFinished(() => void socket.destroy())
  await once(socket, 'connect')
  const lease = await listener.accept()
  expect(lease.id).toBe('own.accepted')
  await lease.discard()
  await listener.close('abort')
})
