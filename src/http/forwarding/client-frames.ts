/**
 * What the client of a WebSocket sends, on its way to another instance: its frames pass as they are, and are followed only so
 * far that a close can be put between two of them.
 *
 *   0                1                2 .. 9                     then 4       then the payload
 *   FIN, opcode      MASK, length     2 or 8 bytes of length,    the mask
 *                                     where that is 126 or 127
 */
import { Transform, type TransformCallback } from 'node:stream'

const HEAD_BYTES = 2
const MASKED = 0x80
const MASK_BYTES = 4
/** FIN, and the opcode of a close. */
const CLOSE = 0x88
const GOING_AWAY = 1_001
const REASON = 'draining'

export class ClientFrames extends Transform {
  /** Bytes of a head that has not come whole. */
  #head: Buffer = Buffer.alloc(0)
  /** Bytes of the current frame's mask and payload that are still to come. */
  #leftBytes = 0
  #state: 'open' | 'leaving' | 'closed' = 'open'

  /** Says to the owner that the client goes, behind the frame that is on its way; what the client sends after that is dropped. */
  leave(): void {
    if (this.#state !== 'open' || this.writableEnded || this.destroyed) return
    this.#state = 'leaving'
    if (this.#isBetween) this.#close()
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    let at = 0
    while (at < chunk.length && !(this.#state === 'leaving' && this.#isBetween)) at += this.#follow(chunk, at)
    if (this.#state !== 'closed' && at > 0) this.push(chunk.subarray(0, at))
    if (this.#state === 'leaving' && this.#isBetween) this.#close()
    done()
  }

  get #isBetween(): boolean {
    return this.#leftBytes === 0 && this.#head.length === 0
  }

  /** How many bytes from `at` on belong to the current frame: at least one. */
  #follow(chunk: Buffer, at: number): number {
    if (this.#leftBytes > 0) {
      const bytes = Math.min(this.#leftBytes, chunk.length - at)
      this.#leftBytes -= bytes
      return bytes
    }
    this.#head = Buffer.concat([this.#head, chunk.subarray(at, at + 1)])
    const bytes = payloadOf(this.#head)
    if (bytes !== null) {
      this.#leftBytes = bytes + (((this.#head[1] ?? 0) & MASKED) === 0 ? 0 : MASK_BYTES)
      this.#head = Buffer.alloc(0)
    }
    return 1
  }

  #close(): void {
    this.#state = 'closed'
    const payload = Buffer.alloc(HEAD_BYTES + REASON.length)
    payload.writeUInt16BE(GOING_AWAY)
    payload.write(REASON, HEAD_BYTES)
    // Masked by zeros, the payload stands as it is.
    this.push(Buffer.concat([Buffer.of(CLOSE, MASKED | payload.length), Buffer.alloc(MASK_BYTES), payload]))
  }
}

/** Bytes of the payload by a frame's head; null where more of the head has to come. */
function payloadOf(head: Buffer): number | null {
  const short = (head[1] ?? 0) & 0x7f
  const bytes = HEAD_BYTES + (short === 127 ? 8 : short === 126 ? 2 : 0)
  if (head.length < HEAD_BYTES || head.length < bytes) return null
  if (short === 127) return Number(head.readBigUInt64BE(HEAD_BYTES))
  return short === 126 ? head.readUInt16BE(HEAD_BYTES) : short
}
