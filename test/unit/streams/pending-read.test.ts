/** The one read that waits, where its bytes have come and nobody has told this thread yet. */
import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import { StreamReader } from '../../../src/streams/reading/stream-reader.ts'
import { ChannelPair } from '../../support/channel-pair.ts'

/** Bytes that an I/O worker has published and whose doorbell nobody has heard. */
function arriveUnheard(pair: ChannelPair, text: string): void {
  pair.inbound.publish(pair.inbound.fill(Buffer.from(text)))
}

function open(): { pair: ChannelPair; reader: StreamReader } {
  const pair = new ChannelPair({ inboundBytes: 64, outboundBytes: 64 })
  return { pair, reader: new StreamReader({ limit: 8 }, pair.source) }
}

test('PendingRead serves the waiting read before a later one, although its doorbell was not heard', async () => {
  const { pair, reader } = open()
  const first = reader.readLine()
  arriveUnheard(pair, 'one\ntwo')
  const second = reader.read(9)
  expect([`${await first}`, `${await second}`]).toEqual(['one\n', 'two'])
  const third = reader.readExactly(2)
  pair.receiveAll('ab')
  expect(`${await third}`).toBe('ab')
})

test('PendingRead lets a waiting read fail before a later one sees what it left', async () => {
  const { pair, reader } = open()
  const first = reader.readLine()
  arriveUnheard(pair, 'much too long\nok\n')
  const second = reader.readLine()
  await expect(first).rejects.toMatchObject({ code: 'LIMIT_OVERRUN' })
  expect(`${await second}`).toBe('ok\n')
})

test('PendingRead keeps what came for a greedy read from a later one', async () => {
  const { pair, reader } = open()
  const first = reader.read()
  arriveUnheard(pair, 'abc')
  await expect(reader.read(1)).rejects.toMatchObject({ code: 'READ_BUSY' })
  pair.endInbound('fin')
  expect(`${await first}`).toBe('abc')
})

test('PendingRead names the call that waits, until it is settled', async () => {
  const { pair, reader } = open()
  expect(inspect(reader)).toBe('<StreamReader limit=8>')
  const first = reader.peek(2)
  expect(inspect(reader)).toBe('<StreamReader limit=8 waiter=<peek() pending>>')
  pair.receiveAll('ab')
  await first
  expect(inspect(reader)).toBe('<StreamReader 2 bytes limit=8>')
})
