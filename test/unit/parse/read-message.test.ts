import { describe, expect, test } from 'vitest'
import { SockpoolError } from '../../../src/base/errors.ts'
import { readMessage, type Turn, type TurnResult } from '../../../src/parse/formats/read-message.ts'
import type { StreamEnd } from '../../../src/streams/byte-source.ts'
import { ScriptedSource } from '../../fixtures/streams/scripted-source.ts'
import { thrown } from '../../fixtures/thrown.ts'
import { decoderOf } from '../../support/decoders.ts'

const FIN: StreamEnd = { kind: 'fin' }
const reset = new SockpoolError('CONNECTION_RESET', 'the peer reset the connection')
const RESET: StreamEnd = { kind: 'failed', error: reset }

const TURN: Turn = {
  bytesMax: 65_536,
  decodeBytesMax: 65_536,
  patienceMs: Number.POSITIVE_INFINITY,
  seen: null,
}

const turn = (
  source: ScriptedSource,
  format = 'json',
  more: Partial<Turn> = {},
  deadline = Number.POSITIVE_INFINITY,
): TurnResult<unknown> => readMessage(source, decoderOf(format), { ...TURN, ...more }, deadline)

/** The value of a message that comes whole. */
const read = (source: ScriptedSource, format = 'json'): unknown => {
  const result = turn(source, format)
  if (result.kind === 'message') return result.value
  throw new Error(`the message is ${result.kind}`)
}

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

  test.each([
    ['time', {}, 50],
    ['patience', { patienceMs: 50 }, 60_000],
  ])('removes nothing when the %s runs out', (_what, more, leftMs) => {
    const source = new ScriptedSource('[1')
    const result = turn(source, 'json', more, performance.now() + leftMs)
    expect(result).toMatchObject({ kind: 'unfinished', seen: { count: 2 } })
    expect(source.waits.at(-1)?.[1]).toBeLessThanOrEqual(50)
    expect(rest(source)).toBe('[1')
  })

  test.each([
    ['json', ' {"a\\u00e9":[tr', 'ue,1', '2.5e', '3]} rest', { aé: [true, 12.5e3] }],
    ['ndjson', ' \n[1', ',2', ']', '\nrest', [1, 2]],
    ['lines', 'a', ' li', 'ne', '\nrest', 'a line'],
  ])('goes on with %s where another turn has looked', (format, ...parts) => {
    const value = parts.pop()
    const source = new ScriptedSource()
    let seen: Turn['seen'] = null
    for (const part of parts as string[]) {
      source.feed(Buffer.from(part))
      // As it comes from another thread.
      const result = turn(source, format, { seen: structuredClone(seen) })
      if (result.kind === 'message') {
        expect(result.value).toEqual(value)
        expect(rest(source)).toMatch(/^ ?rest$/)
        return
      }
      seen = result.kind === 'unfinished' ? result.seen : null
    }
    throw new Error('the message was whole')
  })

  test.each([10, 60_000])(
    'gives back a longer message than it decodes, and removes nothing: %i bytes',
    length => {
      const text = `${'x'.repeat(length - 1)}\n`
      const source = new ScriptedSource(text.slice(0, 7), `${text.slice(7)}rest`)
      const result = turn(source, 'lines', { decodeBytesMax: length - 1 })
      expect(result).toEqual({ kind: 'cut', message: new Uint8Array(Buffer.from(text)) })
      // As its memory is given to another thread.
      if (result.kind === 'cut') expect(result.message.buffer.byteLength).toBe(length)
      expect(turn(source, 'lines', { decodeBytesMax: length })).toMatchObject({ kind: 'message' })
      expect(rest(source)).toBe('rest')
    },
  )

  test('refuses a message beyond the input bound, whatever follows', () => {
    const bytesMax = 1_000
    const source = new ScriptedSource(Buffer.alloc(bytesMax, 'x'), Buffer.alloc(10, '\n'))
    const error = thrown(() => turn(source, 'lines', { bytesMax }))
    expect(error).toMatchObject({ code: 'PARSE_LIMIT', offset: bytesMax })
    const fits = new ScriptedSource(`${'x'.repeat(bytesMax - 1)}\nrest`)
    expect(turn(fits, 'lines', { bytesMax })).toMatchObject({ value: 'x'.repeat(bytesMax - 1) })
    expect(rest(fits)).toBe('rest')
  })
})
