/** `ioredis`, unchanged, over leased connections to a real Redis: a `Connector` of its own brings them. */
import { AbstractConnector, Redis } from 'ioredis'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { SocketDuplex } from '../../src/streams/adapters/socket-duplex.ts'
import { LARGE_BYTES, type LeasedSockets, leaseSockets, ROUNDS } from '../support/leased-sockets.ts'
import { nextEvent } from '../support/next-event.ts'
import { findService, type Place } from '../support/services.ts'

type NetStream = Awaited<ReturnType<AbstractConnector['connect']>>

async function open(place: Place): Promise<{ sockets: LeasedSockets; redis: Redis; leased: SocketDuplex[] }> {
  const sockets = await leaseSockets(place)
  const leased: SocketDuplex[] = []
  class LeaseConnector extends AbstractConnector {
    constructor() {
      super(0)
    }

    /** One lease for each connect, so for each reconnect too. */
    override async connect(): Promise<NetStream> {
      const socket = await sockets.socket()
      leased.push(socket)
      this.stream = socket as unknown as NetStream
      return this.stream
    }
  }
  const redis = new Redis({ Connector: LeaseConnector, lazyConnect: true, retryStrategy: () => 1 })
  redis.on('error', () => {})
  onTestFinished(() => redis.disconnect())
  await redis.connect()
  return { sockets, redis, leased }
}

describe('ioredis over leases', () => {
  test('answers 1,000 pipelined commands, each with its own reply', async ({ skip }) => {
    const { sockets, redis } = await open(await findService('redis', skip))
    const commands = Array.from({ length: ROUNDS }, (_, index) => redis.echo(`reply ${index}`))
    const replies = await Promise.all(commands)
    expect(replies).toEqual(replies.map((_, index) => `reply ${index}`))
    await redis.quit()
    await sockets.settled()
  })

  test('carries 10 MB there and back', async ({ skip }) => {
    const { sockets, redis } = await open(await findService('redis', skip))
    const sent = Buffer.alloc(LARGE_BYTES, 'sockpool ')
    const back = (await redis.callBuffer('ECHO', sent)) as Buffer
    expect(back.equals(sent)).toBe(true)
    await redis.quit()
    await sockets.settled()
  })

  test('notices that its connection was killed, and leases another', async ({ skip }) => {
    const { sockets, redis, leased } = await open(await findService('redis', skip))
    const id = await redis.client('ID')
    const closed = nextEvent(redis, 'close')
    const ready = nextEvent(redis, 'ready')
    await redis.call('CLIENT', 'KILL', 'ID', String(id), 'SKIPME', 'no')
    await closed
    await ready
    expect(leased).toHaveLength(2)
    expect(leased[0]?.destroyed).toBe(true)
    expect(await redis.client('ID')).not.toBe(id)
    await redis.quit()
    await sockets.settled()
  })
})
