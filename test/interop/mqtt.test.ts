/** `mqtt`, unchanged, over leased connections to a real Mosquitto: its client's constructor takes them. */
import { randomUUID } from 'node:crypto'
import { MqttClient } from 'mqtt'
import { describe, expect, onTestFinished, test } from 'vitest'
import { LARGE_BYTES, type LeasedSockets, leaseSockets, ROUNDS } from '../support/leased-sockets.ts'
import { nextEvent } from '../support/next-event.ts'
import { findService } from '../support/services.ts'

async function connect(sockets: LeasedSockets, clientId: string): Promise<MqttClient> {
  const socket = await sockets.socket()
  const client = new MqttClient(() => socket, { clientId, reconnectPeriod: 0, protocolVersion: 4 })
  client.on('error', () => {})
  onTestFinished(() => void socket.destroy())
  await nextEvent(client, 'connect')
  return client
}

/** The first `count` messages that come. */
function collect(client: MqttClient, count: number): Promise<Buffer[]> {
  const messages: Buffer[] = []
  return new Promise(resolve =>
    client.on('message', (_topic, payload) => {
      messages.push(payload)
      if (messages.length === count) resolve(messages)
    }),
  )
}

describe('mqtt over a lease', () => {
  test('delivers 1,000 messages with QoS 1, in order', async ({ skip }) => {
    const sockets = await leaseSockets(await findService('mosquitto', skip))
    const client = await connect(sockets, randomUUID())
    const topic = `sockpool/${randomUUID()}`
    await client.subscribeAsync(topic, { qos: 1 })
    const received = collect(client, ROUNDS)
    const sent = Array.from({ length: ROUNDS }, (_, index) => `message ${index}`)
    await Promise.all(sent.map(text => client.publishAsync(topic, text, { qos: 1 })))
    expect((await received).map(String)).toEqual(sent)
    await client.endAsync()
    await sockets.settled()
  })

  test('carries 10 MB there and back', async ({ skip }) => {
    const sockets = await leaseSockets(await findService('mosquitto', skip))
    const client = await connect(sockets, randomUUID())
    const topic = `sockpool/${randomUUID()}`
    await client.subscribeAsync(topic)
    const received = collect(client, 1)
    const sent = Buffer.alloc(LARGE_BYTES, 'sockpool ')
    await client.publishAsync(topic, sent)
    const [back] = await received
    expect(back?.equals(sent)).toBe(true)
    await client.endAsync()
    await sockets.settled()
  })

  test('notices that the broker dropped it for another of the same name', async ({ skip }) => {
    const sockets = await leaseSockets(await findService('mosquitto', skip))
    const name = randomUUID()
    const client = await connect(sockets, name)
    const closed = nextEvent(client, 'close')
    const other = await connect(sockets, name)
    await closed
    expect(client.connected).toBe(false)
    expect(other.connected).toBe(true)
    await Promise.all([client.endAsync(true), other.endAsync()])
    await sockets.settled()
  })
})
