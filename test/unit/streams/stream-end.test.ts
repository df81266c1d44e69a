/** Who asks a stream to be told of its end. */
import { expect, test, vi } from 'vitest'
import { StreamReader } from '../../../src/streams/reading/stream-reader.ts'
import { ChannelPair } from '../../support/channel-pair.ts'

test('StreamReader.onEnd over memory is called once, read or unread, and at once where it is late', () => {
  const reader = new StreamReader()
  const [ended, late, withdrawn] = [vi.fn(), vi.fn(), vi.fn()]
  reader.onEnd(ended)
  reader.feedData(Buffer.from('abc'))
  expect(ended).not.toHaveBeenCalled()
  reader.feedEof()
  reader.setException(new Error('broken'))
  expect(ended).toHaveBeenCalledOnce()
  reader.onEnd(late)
  expect(late).toHaveBeenCalledOnce()
  const other = new StreamReader()
  other.onEnd(withdrawn)
  other.onEnd(null)
  other.feedEof()
  expect(withdrawn).not.toHaveBeenCalled()
})

test.each([
  ['the peer’s end', (pair: ChannelPair) => pair.endInbound('fin')],
  ['a reset', (pair: ChannelPair) => pair.close('reset')],
  [
    'the end of the lease',
    (pair: ChannelPair) => pair.source.revoke({ kind: 'failed', error: new Error('released') }),
  ],
  ['the loss of the channel', (pair: ChannelPair) => pair.source.detach({ kind: 'closed' })],
])('StreamReader.onEnd over a channel hears of %s, once', (_name, end) => {
  const pair = new ChannelPair({ inboundBytes: 16, outboundBytes: 16 })
  const reader = new StreamReader({}, pair.source)
  const ended = vi.fn()
  reader.onEnd(ended)
  pair.receiveAll('abc')
  pair.ringHolder()
  expect(ended).not.toHaveBeenCalled()
  end(pair)
  pair.ringHolder()
  expect(ended).toHaveBeenCalledOnce()
})

test('StreamReader.onEnd hears of an end that came while the channel was lent', () => {
  const pair = new ChannelPair({ inboundBytes: 16, outboundBytes: 16 })
  const ended = vi.fn()
  new StreamReader({}, pair.source).onEnd(ended)
  const position = pair.source.suspend()
  pair.endInbound('fin')
  expect(ended).not.toHaveBeenCalled()
  pair.source.resume(position)
  expect(ended).toHaveBeenCalledOnce()
})
