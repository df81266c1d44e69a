/** A WebSocket whose other end is another instance: its bytes go both ways as they are, and both ends as they come. */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { LIMITS } from '../../base/limits.ts'
import type { LeftHttp } from '../door/upgrades.ts'
import { ClientFrames } from './client-frames.ts'

/** The connection to the owner, which has switched protocols by `answer`. `head`: its first bytes after that. */
export type OwnerSocket = {
  readonly answer: IncomingMessage
  readonly socket: Duplex & { setTimeout?(ms: number, late: () => void): unknown }
  readonly head: Buffer
}

/**
 * Answers the client as the owner has, and joins the two. When this instance drains, the owner hears that the client goes:
 * it closes the stream with that, behind all that it has sent.
 */
export function joinStream(client: LeftHttp, { answer, socket, head }: OwnerSocket): void {
  socket.on('error', () => socket.destroy())
  // The owner pings, whoever else is silent: where nothing comes at all, it is gone.
  socket.setTimeout?.(LIMITS.forwardedStreamSilenceMs, () => socket.destroy())
  const frames = new ClientFrames()
  client.socket.write(headOf(answer))
  if (head.length > 0) client.socket.write(head)
  if (client.head.length > 0) frames.write(client.head)
  client.socket.pipe(frames).pipe(socket)
  socket.pipe(client.socket)
  endTogether(client.socket, socket)
  endTogether(socket, client.socket)
  client.whenDraining(() => frames.leave())
}

/** Where `from` breaks, or has ended and is gone for long, `to` does not stay. */
function endTogether(from: Duplex, to: Duplex): void {
  from.once('close', () => {
    if (!from.readableEnded) return void to.destroy()
    const linger = setTimeout(() => to.destroy(), LIMITS.streamCloseMs)
    to.once('close', () => clearTimeout(linger))
    if (to.destroyed) clearTimeout(linger)
  })
}

/** The switch of protocols, word for word: it answers to what the client's own handshake had. */
function headOf({
  statusCode = 101,
  statusMessage = 'Switching Protocols',
  rawHeaders,
}: IncomingMessage): string {
  const lines = [`HTTP/1.1 ${statusCode} ${statusMessage}`]
  for (let at = 0; at < rawHeaders.length; at += 2) lines.push(`${rawHeaders[at]}: ${rawHeaders[at + 1]}`)
  return `${lines.join('\r\n')}\r\n\r\n`
}
