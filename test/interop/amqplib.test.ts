/**
 * `amqplib`, unchanged, over leased connections to a real RabbitMQ. It takes a socket of the caller's only where it
 * speaks TLS itself (`amqps:`), so a TLS terminator stands before the broker: the lease carries what amqplib encrypts.
 */
import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import { createServer } from 'node:tls'
import { type ChannelModel, connect } from 'amqplib'
import { describe, expect, onTestFinished, test } from 'vitest'
import { watchLeaks } from '../support/leak-watch.ts'
import { LARGE_BYTES, type LeasedSockets, leaseSockets, ROUNDS } from '../support/leased-sockets.ts'
import { nextEvent } from '../support/next-event.ts'
import { findService, type Place } from '../support/services.ts'
import { testCertificate } from '../support/tls-certs.ts'

type Terminator = Place & { readonly ca: string; readonly accepted: ReadonlySet<Socket> }

/** Decrypts on one side and passes on in the clear to the broker. */
async function startTerminator(broker: Place): Promise<Terminator> {
  watchLeaks()
  const { key, cert } = await testCertificate()
  const accepted = new Set<Socket>()
  const server = createServer({ key, cert }, outer => {
    const inner = connectTcp(broker)
    for (const [one, other] of [
      [outer, inner],
      [inner, outer],
    ] as const) {
      one.on('error', () => other.destroy())
      one.on('close', () => other.destroy())
      one.pipe(other)
    }
  })
  server.on('connection', socket => accepted.add(socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    for (const socket of accepted) socket.destroy()
    server.close()
    await once(server, 'close')
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the terminator has no port')
  return { host: '127.0.0.1', port: address.port, ca: cert, accepted }
}

async function open(broker: Place): Promise<{
  sockets: LeasedSockets
  connection: ChannelModel
  terminator: Terminator
}> {
  const terminator = await startTerminator(broker)
  const { host, port, ca } = terminator
  const sockets = await leaseSockets({ host, port })
  const socket = await sockets.socket()
  onTestFinished(() => void socket.destroy())
  const connection = await connect('amqps://guest:guest@localhost', { socket, servername: 'localhost', ca })
  return { sockets, connection, terminator }
}

describe('amqplib over a lease', () => {
  test('delivers 1,000 confirmed messages, in order', async ({ skip }) => {
    const { sockets, connection } = await open(await findService('rabbitmq', skip))
    const channel = await connection.createConfirmChannel()
    const { queue } = await channel.assertQueue('', { exclusive: true })
    const received: string[] = []
    const all = new Promise<void>(resolve => {
      void channel.consume(
        queue,
        message => {
          received.push(message?.content.toString() ?? '')
          if (received.length === ROUNDS) resolve()
        },
        { noAck: true },
      )
    })
    const sent = Array.from({ length: ROUNDS }, (_, index) => `message ${index}`)
    for (const text of sent) channel.sendToQueue(queue, Buffer.from(text))
    await channel.waitForConfirms()
    await all
    expect(received).toEqual(sent)
    await connection.close()
    await sockets.settled()
  })

  test('carries 10 MB there and back', async ({ skip }) => {
    const { sockets, connection } = await open(await findService('rabbitmq', skip))
    const channel = await connection.createConfirmChannel()
    const { queue } = await channel.assertQueue('', { exclusive: true })
    const sent = Buffer.alloc(LARGE_BYTES, 'sockpool ')
    channel.sendToQueue(queue, sent)
    await channel.waitForConfirms()
    const message = await channel.get(queue, { noAck: true })
    expect(message !== false && message.content.equals(sent)).toBe(true)
    await connection.close()
    await sockets.settled()
  })

  test('notices that its connection was reset', async ({ skip }) => {
    const { sockets, connection, terminator } = await open(await findService('rabbitmq', skip))
    const channel = await connection.createChannel()
    const failed = nextEvent(connection, 'error')
    const closed = nextEvent(connection, 'close')
    for (const socket of terminator.accepted) socket.resetAndDestroy()
    expect(await failed).toMatchObject({ message: expect.stringMatching(/ECONNRESET|Unexpected close/) })
    await closed
    expect(() => channel.sendToQueue('nowhere', Buffer.from('late'))).toThrow(/closed/i)
    await sockets.settled()
  })
})
