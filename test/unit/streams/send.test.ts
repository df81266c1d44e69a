/** The write that is waited for in one call. */
import { describe, expect, test } from 'vitest'
import { SockpoolError } from '../../../src/base/errors.ts'
import { StreamWriter } from '../../../src/streams/writing/stream-writer.ts'
import { isSettled, letters, smallWriter } from '../../support/small-writer.ts'

describe('StreamWriter.send', () => {
  test('until accepted waits for nothing', async () => {
    const { pair, writer } = smallWriter()
    await writer.send(letters(200), { until: 'accepted' })
    expect(writer.buffered).toBe(200)
    expect(pair.send(64)).toBe(letters(64))
  })

  test('waits as drain does where nothing else is said', async () => {
    const { pair, writer } = smallWriter()
    await writer.send(letters(32))
    const sending = writer.send('x')
    pair.send(24)
    expect(await isSettled(sending)).toBe(false)
    pair.send(1)
    await sending
    expect(writer.buffered).toBe(8)
  })

  test('until flushed waits for the last byte of its own, and for no later one', async () => {
    const { pair, writer } = smallWriter()
    const flushing = writer.send('abc', { until: 'flushed' })
    writer.write('later')
    pair.send(2)
    expect(await isSettled(flushing)).toBe(false)
    pair.send(1)
    await flushing
    expect(writer.buffered).toBe(5)
  })

  test('until flushed hears of its bytes although the queue behind them stands still', async () => {
    const { pair, writer } = smallWriter()
    const first = writer.send(letters(10), { until: 'flushed' })
    const second = writer.send(letters(300), { until: 'flushed' })
    pair.send(10)
    await first
    expect(await isSettled(second)).toBe(false)
    for (let sent = 10; sent < 310; ) sent += pair.send(29).length
    await second
    expect(writer.buffered).toBe(0)
  })

  test('until flushed and drain wait beside each other, each for its own', async () => {
    const { pair, writer } = smallWriter()
    const flushing = writer.send(letters(60), { until: 'flushed' })
    const draining = writer.drain()
    pair.send(52)
    await draining
    expect(await isSettled(flushing)).toBe(false)
    pair.send(8)
    await flushing
  })

  test('of nothing, until flushed, waits for what was written before', async () => {
    const { pair, writer } = smallWriter()
    writer.write('abc')
    const flushing = writer.send('', { until: 'flushed' })
    expect(await isSettled(flushing)).toBe(false)
    pair.send(3)
    await flushing
    await writer.send('', { until: 'flushed' })
  })

  test.each([
    ['by time', () => ({ timeoutMs: 5 }), 'DRAIN_TIMEOUT'],
    ['by signal', () => ({ signal: AbortSignal.timeout(5) }), 'ABORTED'],
  ])('that ends %s says what is on its way and what is out, and the bytes still go', async (_, end, code) => {
    const { pair, writer } = smallWriter()
    writer.write(letters(10))
    const sending = writer.send(letters(100), { until: 'flushed', ...end() })
    pair.send(30)
    await expect(sending).rejects.toMatchObject({ code, bytesAccepted: 100, bytesDelivered: 20 })
    expect([writer.interrupted, writer.isWaiting]).toEqual([true, false])
    let rest = ''
    for (let part = pair.send(64); part !== ''; part = pair.send(64)) rest += part
    expect(rest).toBe(letters(100).slice(20))
  })

  test('until drained that ends by time counts its own bytes alone', async () => {
    const { writer } = smallWriter()
    writer.write(letters(30))
    await expect(writer.send(letters(20), { timeoutMs: 5 })).rejects.toMatchObject({
      code: 'DRAIN_TIMEOUT',
      bytesAccepted: 20,
      bytesDelivered: 0,
    })
  })

  test('with a signal that is aborted already sends nothing', async () => {
    const { writer } = smallWriter()
    await expect(writer.send('abc', { signal: AbortSignal.abort() })).rejects.toMatchObject({
      name: 'AbortError',
      code: 'ABORTED',
      bytesAccepted: 0,
      bytesDelivered: 0,
    })
    expect([writer.offset, writer.interrupted]).toEqual([0, false])
  })

  test.each([
    ['writeEof', (writer: StreamWriter) => writer.writeEof(), 'WRITE_CLOSED'],
    ['close', (writer: StreamWriter) => writer.close(), 'WRITE_CLOSED'],
  ])('after %s is refused, and nothing is dropped in silence', async (_name, end, code) => {
    const { writer } = smallWriter()
    end(writer)
    for (const until of ['accepted', 'drained', 'flushed'] as const)
      await expect(writer.send('abc', { until })).rejects.toMatchObject({ code, bytesAccepted: 0 })
    expect([writer.offset, writer.dropped]).toEqual([0, 0])
  })

  test('on a lost connection is the error that it was lost by', async () => {
    const { pair, writer } = smallWriter()
    pair.close('reset')
    await expect(writer.send('abc')).rejects.toMatchObject({ code: 'CONNECTION_RESET', bytesAccepted: 0 })
    const closed = smallWriter()
    closed.pair.close('closed')
    await expect(closed.writer.send('abc', { until: 'accepted' })).rejects.toMatchObject({
      code: 'CONNECTION_RESET',
      message: 'Connection lost',
    })
    const broken = new SockpoolError('TLS_FAILED', 'broken')
    const failing = smallWriter({ readerException: () => broken }).writer.send('abc')
    await expect(failing).rejects.toMatchObject({ code: 'TLS_FAILED', cause: broken, bytesAccepted: 0 })
    expect(broken.bytesAccepted).toBeUndefined()
  })

  test('beyond the bound of the buffers accepts nothing', async () => {
    const { writer } = smallWriter({ maxBufferedBytes: 100 })
    await writer.send(letters(65), { until: 'accepted' })
    await expect(writer.send(letters(100))).rejects.toMatchObject({
      code: 'WRITE_OVERFLOW',
      bytesAccepted: 0,
    })
    expect(writer.offset).toBe(65)
  })

  test('until flushed whose connection breaks meanwhile says how far its bytes came', async () => {
    const { pair, writer } = smallWriter()
    const sending = writer.send(letters(50), { until: 'flushed' })
    pair.send(20)
    pair.close('reset')
    await expect(sending).rejects.toMatchObject({
      code: 'CONNECTION_RESET',
      bytesAccepted: 50,
      bytesDelivered: 20,
    })
  })

  test('until flushed is not fulfilled by a channel that is let go of', async () => {
    const { pair, writer } = smallWriter()
    const sending = writer.send(letters(50), { until: 'flushed' })
    pair.send(20)
    pair.sink.detach({ kind: 'failed', error: new SockpoolError('WORKER_LOST', 'gone') })
    const error: unknown = await sending.catch(reason => reason)
    expect(error).toMatchObject({ code: 'WORKER_LOST', bytesAccepted: 50 })
    expect((error as SockpoolError).bytesDelivered).toBeLessThanOrEqual(20)
  })

  test('until flushed ends well where the connection closed after its last byte, and else not', async () => {
    const whole = smallWriter()
    const sent = whole.writer.send('abc', { until: 'flushed' })
    whole.writer.close()
    whole.pair.send(3)
    whole.pair.close('closed')
    await sent
    const cut = smallWriter()
    const lost = cut.writer.send('abc', { until: 'flushed' })
    cut.pair.send(1)
    cut.pair.close('closed')
    await expect(lost).rejects.toMatchObject({
      code: 'CONNECTION_RESET',
      message: 'Connection lost',
      bytesDelivered: 1,
    })
  })

  test('until flushed is WRITE_CLOSED when the writer is aborted', async () => {
    const { pair, writer } = smallWriter()
    const sending = writer.send(letters(100), { until: 'flushed' })
    pair.send(30)
    writer.abort()
    await expect(sending).rejects.toMatchObject({
      code: 'WRITE_CLOSED',
      bytesAccepted: 100,
      bytesDelivered: 30,
    })
  })

  test('refuses what is no stage and what is no bytes', async () => {
    const { writer } = smallWriter()
    const odd = { until: 'delivered' } as unknown as { until: 'flushed' }
    await expect(writer.send('a', odd)).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
    await expect(writer.send(5 as unknown as string)).rejects.toThrow(TypeError)
    expect(writer.offset).toBe(0)
  })
})

test('two writers of one stream are one in all but identity', async () => {
  const { pair, writer } = smallWriter()
  const twin = new StreamWriter(writer)
  const flushing = twin.send('abc', { until: 'flushed' })
  writer.write('def')
  expect([twin.offset, writer.offset, writer.isWaiting]).toEqual([6, 6, true])
  pair.send(6)
  await flushing
  writer.close()
  expect([twin.isClosing(), twin.closeCalled]).toEqual([true, true])
})
