/** A close between the frames of a WebSocket's client, wherever they are cut. */
import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { ClientFrames } from '../../../src/http/forwarding/client-frames.ts'

const CLOSE = Buffer.concat([Buffer.of(0x88, 0x8a, 0, 0, 0, 0, 0x03, 0xe9), Buffer.from('draining')])

/** A masked binary frame of so many bytes. */
function frameOf(bytes: number): Buffer {
  const head =
    bytes < 126
      ? Buffer.of(0x82, 0x80 | bytes)
      : bytes < 65_536
        ? Buffer.of(0x82, 0xfe, bytes >> 8, bytes & 255)
        : Buffer.concat([Buffer.of(0x82, 0xff), bigEndian(bytes)])
  return Buffer.concat([head, randomBytes(4 + bytes)])
}

function bigEndian(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt(value))
  return bytes
}

function through(frames: ClientFrames): () => Buffer {
  const parts: Buffer[] = []
  frames.on('data', (part: Buffer) => parts.push(part))
  return () => Buffer.concat(parts)
}

describe('ClientFrames', () => {
  test.each([0, 1, 125, 126, 65_535, 65_536, 70_000])(
    'pass frames of %i bytes, and close behind them',
    async bytes => {
      const frames = new ClientFrames({ highWaterMark: 1_048_576 })
      const seen = through(frames)
      const sent = Buffer.concat([frameOf(bytes), frameOf(3)])
      frames.write(sent)
      frames.leave()
      frames.leave()
      frames.write(frameOf(5))
      frames.end()
      await new Promise(resolve => frames.once('end', resolve))
      expect(seen().equals(Buffer.concat([sent, CLOSE]))).toBe(true)
    },
  )

  test('close behind the frame that is on its way, at whatever byte they are told to', async () => {
    const first = frameOf(130)
    const second = frameOf(2)
    for (let cut = 1; cut < first.length; cut++) {
      const frames = new ClientFrames()
      const seen = through(frames)
      frames.write(first.subarray(0, cut))
      frames.leave()
      frames.write(Buffer.concat([first.subarray(cut), second]))
      frames.end()
      await new Promise(resolve => frames.once('end', resolve))
      expect(seen().equals(Buffer.concat([first, CLOSE])), `cut at ${cut}`).toBe(true)
    }
  })

  test('close at once where nothing is on its way', async () => {
    const frames = new ClientFrames()
    const seen = through(frames)
    frames.leave()
    frames.end()
    await new Promise(resolve => frames.once('end', resolve))
    expect(seen().equals(CLOSE)).toBe(true)
  })
})
