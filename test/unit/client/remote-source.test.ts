/** What a lease's stream keeps of what came, and what it tells the service of it. */
import { describe, expect, test } from 'vitest'
import { LIMITS } from '../../../src/base/limits.ts'
import { RemoteSource } from '../../../src/client/remote-source.ts'
import { StreamReader } from '../../../src/streams/reading/stream-reader.ts'

const ACK = LIMITS.streamAckBytes
const WINDOW = LIMITS.streamWindowBytes

function made(): { source: RemoteSource; reader: StreamReader; told: number[]; way: { isOpen: boolean } } {
  const told: number[] = []
  const way = { isOpen: true }
  const source = new RemoteSource({
    want: () => {},
    tell: offset => {
      if (way.isOpen) told.push(offset)
      return way.isOpen
    },
  })
  return { source, reader: new StreamReader({}, source), told, way }
}

const bytes = (length: number): Buffer => Buffer.alloc(length, 'x')

describe('a remote source', () => {
  test('tells what was read in portions, and the rest when it is asked to', async () => {
    const { source, reader, told } = made()
    source.feed(bytes(ACK + 10))
    await reader.readExactly(ACK - 1)
    expect(told).toEqual([])
    await reader.readExactly(2)
    expect(told).toEqual([ACK + 1])
    await reader.readExactly(3)
    source.tellAll()
    source.tellAll()
    expect(told).toEqual([ACK + 1, ACK + 4])
    expect([source.resumeOffset, source.isToldOf, source.isWhole]).toEqual([ACK + 4, true, true])
  })

  test('sets aside what a read waits for that no window holds, and goes on behind it', async () => {
    const { source, reader, told } = made()
    const reading = reader.readExactly(WINDOW + 10)
    source.feed(bytes(ACK - 1))
    expect(told).toEqual([])
    source.feed(bytes(1))
    expect(told).toEqual([ACK])
    expect([source.isWhole, source.resumeOffset]).toEqual([false, ACK])
    for (let at = ACK; at < WINDOW + 10; at += ACK) source.feed(bytes(Math.min(ACK, WINDOW + 10 - at)))
    expect(await reading).toHaveLength(WINDOW + 10)
    source.tellAll()
    expect([told.at(-1), source.isWhole]).toEqual([WINDOW + 10, true])
  })

  test('resumes before what could not be told', async () => {
    const { source, reader, told, way } = made()
    source.feed(bytes(2 * ACK))
    way.isOpen = false
    await reader.readExactly(ACK)
    expect([told, source.resumeOffset, source.isToldOf]).toEqual([[], ACK, false])
    way.isOpen = true
    await reader.readExactly(1)
    expect(told).toEqual([ACK + 1])
  })

  test('knows its own bytes from others that are put back', async () => {
    const { source, reader } = made()
    source.feed(Buffer.from('abcdef'))
    reader.unread(await reader.readExactly(3))
    expect(source.isWhole).toBe(true)
    expect(String(await reader.readExactly(4))).toBe('abcd')
    reader.unread(Buffer.from('xd'))
    expect(source.isWhole).toBe(false)
    expect(String(await reader.readExactly(1))).toBe('x')
    expect(source.isWhole).toBe(false)
    expect(String(await reader.readExactly(3))).toBe('def')
    expect(source.isWhole).toBe(true)
  })

  test('drops what the service has read by itself', async () => {
    const { source, reader } = made()
    source.feed(Buffer.from('message rest'))
    source.advance(8)
    expect([source.position, String(await reader.readExactly(4))]).toEqual([8, 'rest'])
    source.advance(20)
    expect([source.position, source.received, source.resumeOffset, source.available]).toEqual([20, 20, 20, 0])
  })

  test('ends once, and for good where it is another’s', async () => {
    const { source, reader } = made()
    let ended = 0
    source.onEnd(() => ended++)
    source.feed(Buffer.from('last'))
    source.finish({ kind: 'fin' })
    source.finish({ kind: 'closed' })
    source.feed(Buffer.from('too late'))
    expect([ended, reader.ending, String(await reader.read())]).toEqual([1, 'fin', 'last'])
    source.finish({ kind: 'failed', error: new Error('broke') })
    expect([reader.atEof(), reader.exception()?.message]).toEqual([true, 'broke'])
    source.finish({ kind: 'failed', error: new Error('gone'), isRevoked: true })
    await expect(reader.read(1)).rejects.toThrow('gone')
  })
})
