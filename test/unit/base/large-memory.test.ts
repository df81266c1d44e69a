import { expect, test } from 'vitest'
import { giveBackMemory, largeMemory } from '../../../src/base/large-memory.ts'
import { GatheredBody } from '../../../src/http/bytes/gathered-body.ts'
import { TextSink } from '../../../src/parse/formats/text-sink.ts'

const MIB = 1_048_576

test('large memory is gone when it is given back, and its views see no bytes', () => {
  const bytes = Buffer.from(largeMemory(MIB)).fill(1)
  const view = bytes.subarray(10, 20)
  giveBackMemory(bytes)
  expect([bytes.buffer.byteLength, bytes.length, view.length, view[0]]).toEqual([0, 0, 0, undefined])
})

test('memory of other kinds stays where it is', () => {
  const bytes = [Buffer.from('pooled'), new Uint8Array(8), Buffer.from(new SharedArrayBuffer(8))]
  for (const each of bytes) giveBackMemory(each)
  expect(bytes.map(({ length }) => length)).toEqual([6, 8, 8])
})

test('a large body is whole when it is taken, and gone when it is dropped', () => {
  const bodies = [new GatheredBody(4 * MIB), new GatheredBody(4 * MIB)] as const
  for (const body of bodies) for (let piece = 0; piece < 40; piece++) body.add(Buffer.alloc(65_536, piece))
  const all = bodies[0].takeAll()
  expect([all.length, all[0], all[65_536], all.at(-1)]).toEqual([40 * 65_536, 0, 1, 39])
  bodies[1].drop()
  expect([bodies[1].length, bodies[1].takeAll().length]).toEqual([0, 0])
})

test('a text that outgrows its memory takes its bytes along', () => {
  const sink = new TextSink(MIB)
  const piece = 'a piece of text, '.repeat(1_000)
  for (let count = 0; count < 200; count++) sink.text(piece)
  expect(Buffer.from(sink.finish()).toString()).toBe(piece.repeat(200))
})
