/**
 * A peer that many callers share a connection to: it answers each message with its body, so that every caller can tell its
 * own answer. How it answers, and what it sends beside, the test says.
 */
import { randomInt } from 'node:crypto'
import type { Socket } from 'node:net'
import type { MessageCutter } from '../../src/frames/frame.ts'
import type { FrameSpec } from '../../src/frames/frame-spec.ts'
import { builtInFrame } from '../../src/frames/frames.ts'
import { startTestServer, type TestServer } from './test-server.ts'

/** One connection to the peer. */
export type PeerSide = {
  readonly socket: Socket
  /** Pieces in which requests came. */
  pieces: number
  /** Whole requests, in order. */
  readonly requests: Buffer[]
}

export type MultiplexPeer = TestServer & { readonly sides: PeerSide[] }

/** `answer` is called with each request, and with nothing else does the peer answer. */
export async function startMultiplexPeer(
  frame: Extract<FrameSpec, string>,
  answer: (request: Buffer, side: PeerSide) => void = (request, { socket }) => void socket.write(request),
): Promise<MultiplexPeer> {
  const sides: PeerSide[] = []
  const server = await startTestServer(socket => {
    const side: PeerSide = { socket, pieces: 0, requests: [] }
    sides.push(side)
    const cut = cutterOf(builtInFrame(frame).requests())
    socket.on('error', () => {})
    socket.on('data', chunk => {
      side.pieces++
      for (const request of cut(chunk)) {
        side.requests.push(request)
        answer(request, side)
      }
    })
  })
  return Object.assign(server, { sides })
}

function cutterOf(
  cutter: MessageCutter<{ taken: number; length: number }> | null,
): (chunk: Buffer) => Buffer[] {
  let kept = Buffer.alloc(0)
  return chunk => {
    const found: Buffer[] = []
    let looked = kept.length
    kept = Buffer.concat([kept, chunk])
    for (;;) {
      const message = cutter?.next(kept.subarray(looked)) ?? null
      if (message === null) return found
      found.push(kept.subarray(0, looked + message.taken))
      kept = kept.subarray(looked + message.taken)
      looked = 0
    }
  }
}

/** A Modbus/TCP message. */
export function modbus(id: number, body: string): Buffer {
  const message = Buffer.alloc(7 + body.length)
  message.writeUInt16BE(id, 0)
  message.writeUInt16BE(1 + body.length, 4)
  message.write(body, 7, 'latin1')
  return message
}

export function idOf(message: Buffer): number {
  return message.readUInt16BE(0)
}

export function bodyOf(message: Buffer): string {
  return message.toString('latin1', 7)
}

/** True once in so many times. */
export function oneIn(count: number): boolean {
  return randomInt(count) === 0
}
