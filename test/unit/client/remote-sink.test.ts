/** What was written and is sent by calls while the stream stands aside. */
import { expect, test } from 'vitest'
import { RemoteSink } from '../../../src/client/remote-sink.ts'

function openSink(): RemoteSink {
  const nothing = (): void => {}
  return new RemoteSink({ want: nothing, close: nothing, abort: nothing })
}

function sentBySocket(sink: RemoteSink): string {
  const sent: Uint8Array[] = []
  sink.pump(bytes => sent.push(bytes))
  return Buffer.concat(sent).toString()
}

test('RemoteSink sends by calls what is written meanwhile, one after another from where the last one ended', async () => {
  const sink = openSink()
  const calls: string[] = []
  sink.write(Buffer.from('first'))
  await sink.whileApart(
    async (bytes, offset) => void calls.push(`${offset} ${Buffer.from(bytes)}`),
    async () => {
      await new Promise(setImmediate)
      sink.write(Buffer.from('second'))
      await new Promise(setImmediate)
    },
  )
  expect(calls).toEqual(['0 first', '5 second'])
  expect([sink.pending, sentBySocket(sink)]).toEqual([0, ''])
})

test('RemoteSink ends a call that is still under way when the stream may go on, which sends its bytes then', async () => {
  const sink = openSink()
  sink.write(Buffer.from('held'))
  const answer = await sink.whileApart(
    (_bytes, _offset, signal) =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason))
      }),
    async () => 'the message',
  )
  expect(answer).toBe('the message')
  // The service says that it has one byte of those already.
  sink.resume(1)
  expect([sink.pending, sentBySocket(sink)]).toEqual([3, 'eld'])
})

test('RemoteSink leaves to the next socket what a call fails to send, and ends with the error of the read', async () => {
  const sink = openSink()
  sink.write(Buffer.from('lost'))
  const reading = sink.whileApart(
    () => Promise.reject(new Error('the way broke')),
    () => Promise.reject(new Error('the read failed')),
  )
  await expect(reading).rejects.toThrow('the read failed')
  expect([sink.pending, sentBySocket(sink)]).toEqual([4, 'lost'])
})
