import { createHash, randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { LIMITS } from '../../../src/base/limits.ts'
import { GatheredBody } from '../../../src/http/bytes/gathered-body.ts'

const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

function gathered(bytes: Buffer, chunkBytes: number, bytesMax: number): Buffer {
  const body = new GatheredBody(bytesMax)
  for (let at = 0; at < bytes.length; at += chunkBytes) body.add(bytes.subarray(at, at + chunkBytes))
  expect(body.length).toBe(bytes.length)
  return body.takeAll()
}

test.each([0, 1, LIMITS.heldBytesMin, LIMITS.heldBytesMin + 1, 1_048_576, 1_048_577, 3_500_000])(
  'a body of %i bytes comes out as it came in, whatever its chunks',
  length => {
    const bytes = randomBytes(length)
    for (const chunkBytes of [1_021, 65_536, length + 1])
      for (const bytesMax of [length, length + 1, 16_777_216])
        expect(digest(gathered(bytes, chunkBytes, bytesMax))).toBe(digest(bytes))
  },
)

test('a large body has its memory to itself, so that it may be given away', () => {
  const bytes = randomBytes(3_000_000)
  const body = gathered(bytes, 65_536, 16_777_216)
  expect(body.byteOffset).toBe(0)
  expect(body.buffer.byteLength).toBe(bytes.length)
  const given = structuredClone(new Uint8Array(body.buffer), { transfer: [body.buffer as ArrayBuffer] })
  expect(digest(given)).toBe(digest(bytes))
})

test('a large body takes memory as it comes, not as it was announced', () => {
  const body = new GatheredBody(1_073_741_824)
  const before = process.memoryUsage().rss
  body.add(randomBytes(100_000))
  expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1_048_576)
  expect(body.takeAll().length).toBe(100_000)
})
