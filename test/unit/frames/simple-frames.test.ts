import { describe, expect, test } from 'vitest'
import { LIMITS } from '../../../src/base/limits.ts'
import type { CallerMessage, MessageCutter } from '../../../src/frames/frame.ts'
import type { FrameInput } from '../../../src/frames/frame-input.ts'
import { builtInFrame } from '../../../src/frames/frames.ts'
import { judgeFrame } from '../../../src/frames/judge-frame.ts'
import { moduleFrame } from '../../../src/frames/module.ts'
import { type CutEnding, expectCuts } from '../../support/frame-cuts.ts'

const frameOf = (input: FrameInput) => {
  const spec = judgeFrame(input, 'frame', 'operator')
  if (typeof spec === 'object' && 'module' in spec) throw new Error('a module is tested by itself')
  return builtInFrame(spec)
}

/** Both directions of the frame have the same messages of these lengths. */
function expectLengths(input: FrameInput, bytes: string, lengths: number[], ending?: CutEnding): void {
  const frame = frameOf(input)
  const requests = (): MessageCutter<CallerMessage> => {
    const cutter = frame.requests()
    if (cutter === null) throw new Error('requests are not cut')
    return cutter
  }
  const messages = lengths.map(length => ({ length }))
  expectCuts({ open: () => frame.answers(), bytes }, messages, ending)
  expectCuts({ open: requests, bytes }, messages, ending)
}

const MODBUS = '\x00\x01\x00\x00\x00\x06\x01\x03\x00\x00\x00\x0a'
const DNS = `\x00\x0c${'\x01'.repeat(12)}`

describe('frames of marks', () => {
  test.each<[FrameInput, string, number[], CutEnding?]>([
    ['line', 'a\n\nbc\r\n', [2, 1, 4]],
    ['line', 'a\nb', [2], 'within'],
    ['crlf', 'a\r\n\r\nb\nc\r\r\n', [3, 2, 6]],
    ['mllp', '\x0bMSH|\x1c\x0d\x0b\x1c\x1c\x0d', [7, 4]],
    ['mllp', '\x0bMSH\x0bPID\x1c\x0d', [10]],
    ['mllp', 'MSH', [], 'FRAME_BROKEN'],
    ['mllp', '\x0ba\x1c\x0d\n', [4], 'FRAME_BROKEN'],
    [{ delimiter: ';' }, 'a;bb;', [2, 3]],
    [{ delimiter: '\\x00\\xff' }, 'a\x00\x00\xff\x00\xff', [4, 2]],
    [{ delimiter: 'abab' }, 'aababab', [5], 'within'],
    [{ delimiter: 'aab' }, 'aaaab', [5]],
    [{ delimiter: { start: '<<', end: '>>' } }, '<<a>><<>>', [5, 4]],
    [{ delimiter: { start: '<<', end: '>>' } }, '<a>>', [], 'FRAME_BROKEN'],
    [{ delimiter: { start: '"', end: '"' } }, '"a""b"', [3, 3]],
    [{ delimiter: ';', max: 4 }, 'abc;abcd;', [4], 'LIMIT_OVERRUN'],
  ])('%j cuts %j', (input, bytes, lengths, ending) => expectLengths(input, bytes, lengths, ending))
})

describe('frames of lengths', () => {
  test.each<[FrameInput, string, number[], CutEnding?]>([
    [{ fixed: 3 }, 'abcdef', [3, 3]],
    [{ fixed: 3 }, 'ab', [], 'within'],
    ['modbus', MODBUS + MODBUS, [12, 12]],
    ['modbus', '\x00\x01\x00\x01\x00\x06', [], 'FRAME_BROKEN'],
    ['modbus', '\x00\x01\x00\x00\x00\x01', [], 'FRAME_BROKEN'],
    ['modbus', '\x00\x01\x00\x00\x00\xff', [], 'FRAME_BROKEN'],
    ['dns', DNS + DNS, [14, 14]],
    ['dns', '\x00\x0b', [], 'FRAME_BROKEN'],
    ['iso8583', '\x00\x00\x00\x02ab', [2, 4]],
    [{ lengthField: {} }, '\0\0\0\x02ab\0\0\0\0', [6, 4]],
    [{ lengthField: { bytes: 1 } }, '\x01a\x00', [2, 1]],
    [{ lengthField: { bytes: 3, endian: 'little' } }, '\x02\0\0ab', [5]],
    [{ lengthField: { bytes: 8, endian: 'little' } }, '\x01\0\0\0\0\0\0\0a', [9]],
    [{ lengthField: { bytes: 7 } }, '\0\0\0\0\0\0\x01a', [8]],
    [{ lengthField: { offset: 2, bytes: 1 } }, 'xy\x01a', [4]],
    [{ lengthField: { bytes: 2, includesHeader: true } }, '\0\x02\0\x03a', [2, 3]],
    [{ lengthField: { bytes: 2, includesHeader: true } }, '\0\x01', [], 'FRAME_BROKEN'],
    [{ lengthField: { bytes: 1, adjust: -1 } }, '\x02a\x01', [2, 1]],
    [{ lengthField: { bytes: 1, adjust: -1 } }, '\x00', [], 'FRAME_BROKEN'],
    [{ lengthField: { bytes: 1, adjust: 2 } }, '\x00ab', [3]],
    [{ lengthField: { bytes: 4, encoding: 'ascii' } }, '0002ab0000', [6, 4]],
    [{ lengthField: { bytes: 4, encoding: 'ascii' } }, '00 2', [], 'FRAME_BROKEN'],
    [{ lengthField: { bytes: 2, encoding: 'ascii', endian: 'little' } }, `21${'x'.repeat(12)}`, [14]],
    [{ lengthField: { bytes: 2, encoding: 'bcd' } }, `\x00\x12${'x'.repeat(12)}`, [14]],
    [{ lengthField: { bytes: 2, encoding: 'bcd' } }, '\x00\x1a', [], 'FRAME_BROKEN'],
    [{ lengthField: { bytes: 8 } }, '\xff'.repeat(8), [], 'FRAME_BROKEN'],
    [{ lengthField: { bytes: 8, includesHeader: true } }, '\0\x20\0\0\0\0\0\0', [], 'FRAME_BROKEN'],
    [{ lengthField: { bytes: 4 } }, '\x01\0\0\0', [], 'LIMIT_OVERRUN'],
    [{ lengthField: { bytes: 1, max: 3 } }, '\x02ab\x03', [3], 'LIMIT_OVERRUN'],
  ])('%j cuts %j', (input, bytes, lengths, ending) => expectLengths(input, bytes, lengths, ending))

  test('a length that is too large fails with its header, before any of it has come', () => {
    const cutter = frameOf({ lengthField: { bytes: 4, max: 100 } }).answers()
    expect(cutter.next(Uint8Array.of(0, 0, 0))).toBeNull()
    expect(() => cutter.next(Uint8Array.of(97))).toThrow(
      expect.objectContaining({ code: 'LIMIT_OVERRUN', consumed: 4 }),
    )
  })
})

test('counts prove something where a frame says what a message is, and nothing where an operator says only how it ends', () => {
  const proves = (input: FrameInput): boolean => frameOf(input).balances
  const all: FrameInput[] = [
    'line',
    'crlf',
    'mllp',
    'modbus',
    'dns',
    'iso8583',
    { fixed: 1 },
    { lengthField: {} },
  ]
  expect(all.map(proves)).toEqual(all.map(() => true))
  expect(proves({ delimiter: ';' })).toBe(false)
  expect(moduleFrame(() => 0, 1).balances).toBe(false)
})

describe('a frame of a module', () => {
  /** Messages of one digit that says how many bytes follow. */
  const counted = (bytes: Uint8Array): number => {
    const count = (bytes[0] ?? 0) - 0x30
    return bytes.length > count ? count + 1 : 0
  }

  test('cuts as the function says', () => {
    const frame = moduleFrame(counted, 1_000)
    expectCuts({ open: () => frame.answers(), bytes: '3abc0' + '9'.padEnd(10, 'x') }, [
      { length: 4 },
      { length: 1 },
      { length: 10 },
    ])
  })

  test.each<[string, (bytes: Uint8Array) => unknown]>([
    [
      'throws',
      () => {
        throw new Error('no')
      },
    ],
    ['gives a number beyond the bytes', bytes => bytes.length + 1],
    ['gives a negative number', () => -1],
    ['gives half a byte', () => 0.5],
    ['gives no number', () => 'a'],
    ['gives a promise', () => Promise.resolve(1)],
    ['gives NaN', () => Number.NaN],
  ])('is broken where the function %s', (_what, endOf) => {
    const cutter = moduleFrame(endOf as (bytes: Uint8Array) => number, 1_000).answers()
    expect(() => cutter.next(Buffer.from('abc'))).toThrow(expect.objectContaining({ code: 'FRAME_BROKEN' }))
  })

  test('is shown no more of a message that drips in than its length deserves', () => {
    let shown = 0
    const cutter = moduleFrame(bytes => {
      shown += bytes.length
      return 0
    }, 16_777_216).answers()
    const drip = (): void => {
      for (let sent = 0; sent < 1_000_000; sent++) cutter.next(Uint8Array.of(1))
    }
    expect(drip).toThrow(expect.objectContaining({ code: 'LIMIT_OVERRUN' }))
    expect(shown).toBeLessThan(2 * LIMITS.frameModuleLookBytes)
  })

  test('cannot change what it was shown for others', () => {
    const frame = moduleFrame(bytes => {
      bytes.fill(0)
      return bytes.length >= 3 ? 3 : 0
    }, 100)
    const bytes = Buffer.from('abc')
    frame.answers().next(bytes)
    expect(bytes.toString()).toBe('abc')
  })
})
