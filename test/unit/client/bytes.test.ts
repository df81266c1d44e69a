/** What stands in for Buffer in browsers does what Buffer does, as far as the streams use it. */
import { describe, expect, test } from 'vitest'
import { BufferStandIn, Bytes, type TextEncoding } from '../../../src/client/web/bytes.ts'
import { errorText, SocketDuplex } from '../../../src/client/web/node-modules.ts'

const TEXTS = ['', 'plain', 'ä€😀 and \ufeff more', 'x'.repeat(20_000)]
const ENCODINGS: readonly TextEncoding[] = ['utf8', 'latin1', 'hex', 'base64']
const plain = (bytes: Uint8Array): number[] => [...bytes]

describe('the stand-in of Buffer', () => {
  test.each(ENCODINGS)('spells bytes as %s', encoding => {
    for (const text of TEXTS) {
      const bytes = Buffer.from(text)
      const spelt = bytes.toString(encoding)
      const own = BufferStandIn.from(bytes)
      expect(own.toString(encoding)).toBe(spelt)
      expect(own.toString(encoding, 1, 4)).toBe(bytes.toString(encoding, 1, 4))
      if (encoding === 'utf8' || encoding === 'base64')
        expect(plain(BufferStandIn.from(spelt, encoding))).toEqual(plain(bytes))
    }
  })

  test('copies what it is made of, but for a view of memory', () => {
    const source = Uint8Array.of(1, 2, 3)
    const copy = BufferStandIn.from(source)
    const view = BufferStandIn.from(source.buffer, 1, 2)
    source[1] = 9
    expect([plain(copy), plain(view)]).toEqual([
      [1, 2, 3],
      [9, 3],
    ])
    expect(copy).toBeInstanceOf(Uint8Array)
    expect(view.subarray(1)).toBeInstanceOf(Bytes)
    expect(
      [BufferStandIn.alloc(2), BufferStandIn.allocUnsafe(2), BufferStandIn.allocUnsafeSlow(2)].map(plain),
    ).toEqual([
      [0, 0],
      [0, 0],
      [0, 0],
    ])
  })

  test('copies, compares, writes and finds', () => {
    const text = 'abcabd'
    const [own, node] = [BufferStandIn.from(text), Buffer.from(text)]
    for (const [at, start, end] of [
      [0, 0, 6],
      [2, 1, 3],
      [3, 2, 6],
    ] as const) {
      const [mine, theirs] = [new Uint8Array(4), Buffer.alloc(4)]
      expect(own.copy(mine, at, start, end)).toBe(node.copy(theirs, at, start, end))
      expect(plain(mine)).toEqual(plain(theirs))
    }
    for (const other of ['abcabd', 'abc', 'abcabe', 'b', ''].map(word => Buffer.from(word))) {
      expect(own.compare(other)).toBe(node.compare(other))
      expect(own.equals(other)).toBe(node.equals(other))
      expect(own.compare(other, 0, 1, 3, 4)).toBe(node.compare(other, 0, Math.min(1, other.length), 3, 4))
    }
    const [mine, theirs] = [BufferStandIn.alloc(6), Buffer.alloc(6)]
    expect(mine.write('ä€😀', 1)).toBe(theirs.write('ä€😀', 1))
    expect(plain(mine)).toEqual(plain(theirs))
    const find = (bytes: Uint8Array, byte: number): number =>
      BufferStandIn.prototype.indexOf.call(bytes, byte, 2)
    expect(find(node, 0x61)).toBe(3)
    expect(BufferStandIn.prototype.includes.call(own, 0x64)).toBe(true)
  })
})

describe('the stand-ins of Node’s modules', () => {
  test('are what the streams use of them', () => {
    expect([new Error('why'), new TypeError(), 'said'].map(errorText)).toEqual(['why', 'TypeError', 'said'])
    expect(() => new SocketDuplex()).toThrow(expect.objectContaining({ code: 'UNSUPPORTED' }))
  })
})
