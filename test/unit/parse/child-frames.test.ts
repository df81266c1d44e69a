import { expect, test } from 'vitest'
import { LIMITS } from '../../../src/base/limits.ts'
import {
  FRAME_HEAD_BYTES,
  type FrameKind,
  FrameReader,
  frameHead,
  readFrameHead,
} from '../../../src/parse/formats/child-frames.ts'

const KINDS: readonly FrameKind[] = ['ready', 'ask', 'input', 'part', 'outcome']

const frame = (kind: FrameKind, body: string): Buffer =>
  Buffer.concat([frameHead(kind, body.length), Buffer.from(body)])

function framesIn(chunks: readonly Buffer[]): string[] {
  const frames: string[] = []
  const reader = new FrameReader((kind, body) => frames.push(`${kind}:${body}`))
  for (const chunk of chunks) reader.push(chunk)
  return frames
}

test.each(KINDS)('frameHead of %s says what readFrameHead reads', kind => {
  for (const length of [0, 1, 65_536, LIMITS.parseFrameBytesMax])
    expect(readFrameHead(frameHead(kind, length))).toEqual({ kind, length })
})

test('readFrameHead refuses what is no head', () => {
  expect(() => readFrameHead(Buffer.alloc(FRAME_HEAD_BYTES))).toThrow('do not understand each other')
  expect(() => readFrameHead(Buffer.alloc(FRAME_HEAD_BYTES, 0xff))).toThrow('do not understand each other')
  expect(() => readFrameHead(frameHead('part', LIMITS.parseFrameBytesMax + 1))).toThrow('do not understand')
})

test('FrameReader gives the same frames whatever the chunks are', () => {
  const bytes = Buffer.concat([
    frame('ready', ''),
    frame('part', 'abc'),
    frame('part', ''),
    frame('outcome', 'x'),
  ])
  const expected = ['ready:', 'part:abc', 'part:', 'outcome:x']
  for (let size = 1; size <= bytes.length; size++) {
    const count = Math.ceil(bytes.length / size)
    const chunks = Array.from({ length: count }, (_, at) => bytes.subarray(at * size, (at + 1) * size))
    expect(framesIn(chunks)).toEqual(expected)
  }
})

test('FrameReader says nothing of a frame that is not whole', () => {
  const bytes = frame('part', 'abc')
  for (let length = 0; length < bytes.length; length++)
    expect(framesIn([bytes.subarray(0, length)])).toEqual([])
})
