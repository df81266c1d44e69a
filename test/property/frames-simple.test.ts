import { describe, test } from 'vitest'
import type { FrameInput } from '../../src/frames/frame-input.ts'
import { builtInFrame } from '../../src/frames/frames.ts'
import { judgeFrame } from '../../src/frames/judge-frame.ts'
import { expectLinear, fuzzCuts } from '../support/frame-cuts.ts'

const answersOf = (input: FrameInput) => {
  const spec = judgeFrame(input, 'frame', 'operator')
  if (typeof spec === 'object' && 'module' in spec) throw new Error('a module is none of ours')
  return () => builtInFrame(spec).answers()
}

const MIB = 1_048_576

describe('any change of what is sent is cut or refused, however it comes', () => {
  test.each<[FrameInput, string[]]>([
    ['line', ['abc\ndef\n']],
    ['crlf', ['abc\r\n\rd\r\n']],
    ['mllp', ['\x0babc\x1c\x0d\x0b\x1c\x1c\x0d']],
    [{ delimiter: 'abab', max: 64 }, ['xxabaabab', 'ababab']],
    [{ delimiter: { start: '<<', end: '>>' }, max: 64 }, ['<<a>><<>>', '<<<>>']],
    ['modbus', ['\x00\x01\x00\x00\x00\x06\x01\x03\x00\x00\x00\x0a']],
    ['dns', [`\x00\x0c${'\x01'.repeat(12)}`]],
    [{ lengthField: { bytes: 4, encoding: 'ascii', max: 64 } }, ['0002ab0000']],
    [{ lengthField: { offset: 1, bytes: 3, endian: 'little', max: 64 } }, ['x\x02\0\0ab']],
    [{ lengthField: { bytes: 2, encoding: 'bcd', includesHeader: true, max: 64 } }, ['\x00\x04ab']],
    [{ fixed: 5 }, ['abcdeabcde']],
  ])('%j', (input, samples) => fuzzCuts(answersOf(input), samples))
})

describe('a MiB that holds a cutter up is looked at in linear time', () => {
  test.each<[FrameInput, string]>([
    [{ delimiter: `${'a'.repeat(30)}b`, max: 2 * MIB }, 'a'],
    [{ delimiter: { start: 'a', end: `${'ab'.repeat(15)}c` }, max: 2 * MIB }, 'ab'],
    ['crlf', '\r'],
    [{ fixed: 64 }, 'x'],
  ])('%j of %j', (input, unit) => {
    expectLinear({ open: answersOf(input), bytes: unit.repeat(Math.ceil(MIB / unit.length)) })
  })
})
