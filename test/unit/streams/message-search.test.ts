import { describe, expect, test } from 'vitest'
import { builtInFrame } from '../../../src/frames/frames.ts'
import { BlockingReader } from '../../../src/streams/blocking/blocking-reader.ts'
import { MemorySource } from '../../../src/streams/reading/memory-source.ts'
import { MessageSearch } from '../../../src/streams/reading/message-search.ts'
import { StreamReader } from '../../../src/streams/reading/stream-reader.ts'

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1')

/** A reader over memory that was fed these pieces. */
function fed(...pieces: string[]): StreamReader {
  const reader = new StreamReader({ frame: 'resp' })
  for (const piece of pieces) reader.feedData(Buffer.from(piece, 'latin1'))
  return reader
}

describe('readFrame', () => {
  test('reads message after message of the frame that goes without saying', async () => {
    const reader = fed('$3\r\na\r\n', '\r\n+OK\r\n*1\r\n:1\r\n')
    expect(text(await reader.readFrame())).toBe('$3\r\na\r\n\r\n')
    expect(text(await reader.readFrame())).toBe('+OK\r\n')
    expect(text(await reader.readFrame())).toBe('*1\r\n:1\r\n')
    expect(reader.buffered).toBe(0)
  })

  test('reads a message of another frame, by name or by description', async () => {
    const reader = fed('line\n\x00\x02hi<a>')
    expect(text(await reader.readFrame('line'))).toBe('line\n')
    expect(text(await reader.readFrame({ lengthField: { bytes: 2 } }))).toBe('\x00\x02hi')
    expect(text(await reader.readFrame({ delimiter: { start: '<', end: '>' } }))).toBe('<a>')
  })

  test('waits for a message that comes byte by byte, and takes nothing of the next', async () => {
    const reader = fed()
    const reading = reader.readFrame()
    for (const byte of '$5\r\nhello\r\n+') {
      reader.feedData(Buffer.from(byte))
      await Promise.resolve()
    }
    expect(text(await reading)).toBe('$5\r\nhello\r\n')
    expect(reader.buffered).toBe(1)
  })

  test('is not bounded by the limit of the reader', async () => {
    const reader = new StreamReader({ limit: 8, frame: 'resp' })
    reader.feedData(Buffer.from(`$1000\r\n${'x'.repeat(1_000)}\r\n`))
    expect((await reader.readFrame()).length).toBe(1_009)
  })

  test('takes nothing when its time is up, and the message is whole afterwards', async () => {
    const reader = fed('$5\r\nhel')
    await expect(reader.readFrame(undefined, { timeoutMs: 1 })).rejects.toMatchObject({
      code: 'READ_TIMEOUT',
    })
    reader.feedData(Buffer.from('lo\r\n'))
    expect(text(await reader.readFrame())).toBe('$5\r\nhello\r\n')
  })

  test('begins anew where another read takes bytes from under it', async () => {
    const reader = fed('$5\r\n')
    const reading = reader.readFrame('line')
    expect(text(await reading)).toBe('$5\r\n')
    const waiting = reader.readFrame()
    reader.feedData(Buffer.from('+O'))
    expect(text(await reader.readExactly(1))).toBe('+')
    reader.feedData(Buffer.from('x\r\n:7\r\n'))
    await expect(waiting).rejects.toMatchObject({ code: 'FRAME_BROKEN' })
  })

  test('is INCOMPLETE_READ where the stream ends in a message, and between two', async () => {
    const reader = fed('+OK\r\n$5\r\nhel')
    reader.feedEof()
    expect(text(await reader.readFrame())).toBe('+OK\r\n')
    await expect(reader.readFrame()).rejects.toMatchObject({
      code: 'INCOMPLETE_READ',
      partial: Buffer.from('$5\r\nhel'),
      expected: null,
    })
    await expect(reader.readFrame()).rejects.toMatchObject({
      code: 'INCOMPLETE_READ',
      partial: Buffer.alloc(0),
    })
  })

  test('tells the owner of the stream where no message can come any more', async () => {
    const told: string[] = []
    const reader = new StreamReader({ frame: 'resp', onLastMessage: how => told.push(how) })
    reader.feedData(Buffer.from('?'))
    await expect(reader.readFrame()).rejects.toMatchObject({ code: 'FRAME_BROKEN' })
    const long = new StreamReader({ onLastMessage: how => told.push(how) })
    long.feedData(Buffer.from('aaaaaaaa'))
    await expect(long.readFrame({ delimiter: ';', max: 4 })).rejects.toMatchObject({ code: 'LIMIT_OVERRUN' })
    expect(told).toEqual(['broken', 'broken'])
  })

  test.each([
    [undefined, 'must be given'],
    ['RESP', 'frame'],
    [{}, 'frame'],
    [{ fixed: 0 }, 'frame.fixed'],
    [{ fixed: 1.5 }, 'frame.fixed'],
    [{ lengthField: { bytes: 9 } }, 'frame.lengthField.bytes'],
    [null, 'frame'],
  ])('refuses %j before it waits', async (frame, path) => {
    const reading = new StreamReader().readFrame(frame as never)
    await expect(reading).rejects.toMatchObject({
      code: 'INVALID_REQUEST',
      message: expect.stringContaining(path),
    })
  })
})

test('a blocking reader reads messages too, but by no module', () => {
  const memory = new MemorySource()
  const source = Object.assign(memory, { waitFor: () => false, takeThrough: () => null })
  const reader = new BlockingReader(source, { frame: 'resp' })
  memory.feed(Buffer.from('$2\r\nhi\r\nline\n'))
  expect(text(reader.readFrame())).toBe('$2\r\nhi\r\n')
  expect(text(reader.readFrame('line'))).toBe('line\n')
  expect(() => reader.readFrame(undefined, { timeoutMs: 0 })).toThrow(
    /READ_TIMEOUT|took longer|not finish|0 ms/,
  )
  expect(() => reader.readFrame({ module: 'file:///frame.mjs' })).toThrow(/module/)
})

test('a message search looks at no byte twice', () => {
  const search = new MessageSearch(builtInFrame('line'))
  const looked: number[] = []
  const view = (bytes: string): Uint8Array =>
    new Proxy(Buffer.from(bytes), {
      get: (target, name) => {
        if (name !== 'subarray') return Reflect.get(target, name, target)
        return (from: number, to: number) => {
          looked.push(from)
          return target.subarray(from, to)
        }
      },
    })
  expect(search.find([view('ab')], 2)).toBeNull()
  expect(search.find([view('abcd')], 4)).toBeNull()
  expect(search.find([view('abcd'), view('ef\ngh')], 9)).toBe(7)
  expect(looked).toEqual([0, 2, 0])
})
