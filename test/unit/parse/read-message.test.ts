import { describe, expect, test } from 'vitest'
import { SockpoolError } from '../../../src/base/errors.ts'
import { LIMITS } from '../../../src/base/limits.ts'
import { readMessage } from '../../../src/parse/formats/read-message.ts'
import { findFormat } from '../../../src/parse/formats/registry.ts'
import type { StreamEnd } from '../../../src/streams/byte-source.ts'
import { ScriptedSource } from '../../fixtures/streams/scripted-source.ts'
import { thrown } from '../../fixtures/thrown.ts'

const FIN: StreamEnd = { kind: 'fin' }
const reset = new SockpoolError('CONNECTION_RESET', 'the peer reset the connection')
const RESET: StreamEnd = { kind: 'failed', error: reset }

const read = (source: ScriptedSource, format = 'json', deadline = Number.POSITIVE_INFINITY): unknown =>
  readMessage(source, findFormat(format).configure({}), deadline, 300)

const rest = (source: ScriptedSource): string => source.take(source.available).toString()

describe('readMessage', () => {
  test('takes one message and no byte after it', () => {
    const source = new ScriptedSource(' {"a"', ':1} [2', ']')
    expect(read(source)).toEqual({ a: 1 })
    expect(read(source)).toEqual([2])
    expect(source.available).toBe(0)
  })

  test('leaves the byte that ended a number', () => {
    const source = new ScriptedSource('1', '2', '\n3')
    expect(read(source)).toBe(12)
    expect(rest(source)).toBe('\n3')
  })

  test('takes a number that the end of the stream ends', () => {
    expect(read(new ScriptedSource('12', FIN))).toBe(12)
    expect(read(new ScriptedSource('a line', FIN), 'lines')).toBe('a line')
  })

  test('reads a message that is whole although the connection broke after it', () => {
    const source = new ScriptedSource()
    source.feed(Buffer.from('[1][2'))
    source.finish(RESET)
    expect(read(source)).toEqual([1])
    expect(thrown(() => read(source))).toBe(reset)
    expect(rest(source)).toBe('[2')
  })

  test('tells a clean end from a message cut off', () => {
    expect(thrown(() => read(new ScriptedSource(' \n', FIN)))).toMatchObject({
      code: 'INCOMPLETE_READ',
      partial: Buffer.alloc(0),
      expected: null,
    })
    const cut = new ScriptedSource(' [1', FIN)
    expect(thrown(() => read(cut))).toMatchObject({ code: 'INCOMPLETE_READ', partial: Buffer.from(' [1') })
    expect(cut.available).toBe(0)
  })

  test('removes nothing when the bytes are wrong', () => {
    const source = new ScriptedSource('[1,', '}\n')
    expect(thrown(() => read(source))).toMatchObject({ code: 'PARSE_FAILED', offset: 3 })
    expect(rest(source)).toBe('[1,}\n')
    const line = new ScriptedSource('{"__proto__":1}\n')
    expect(thrown(() => read(line, 'ndjson'))).toMatchObject({ code: 'PARSE_FAILED' })
    expect(rest(line)).toBe('{"__proto__":1}\n')
  })

  test('removes nothing when time runs out', () => {
    const source = new ScriptedSource('[1')
    const error = thrown(() => read(source, 'json', performance.now() + 50))
    expect(error).toMatchObject({ code: 'READ_TIMEOUT', bytesDelivered: 0 })
    expect(source.waits.at(-1)?.[1]).toBeLessThanOrEqual(50)
    expect(rest(source)).toBe('[1')
  })

  test('refuses a message beyond the input bound, whatever follows', () => {
    const source = new ScriptedSource(Buffer.alloc(LIMITS.parseInputBytesMax, 'x'), Buffer.alloc(10, '\n'))
    expect(thrown(() => read(source, 'lines'))).toMatchObject({
      code: 'PARSE_LIMIT',
      offset: LIMITS.parseInputBytesMax,
    })
    const fits = new ScriptedSource(`${'x'.repeat(LIMITS.parseInputBytesMax - 1)}\nrest`)
    expect(read(fits, 'lines')).toHaveLength(LIMITS.parseInputBytesMax - 1)
    expect(rest(fits)).toBe('rest')
  })
})
