/**
 * The end of a connection whose client may still be sending. A close with unread bytes becomes a reset, and a reset
 * overtakes the answer; so the service ends its own side, and reads and drops what still comes, within bounds of bytes, of
 * time and of silence, by turns like all that comes in large.
 */
import type { Duplex } from 'node:stream'
import { LIMITS } from '../base/limits.ts'
import { BYTE_TURNS } from './byte-turns.ts'

/** A socket of the HTTP server, as far as its end goes. */
export type EndingSocket = Duplex & { destroySoon?(): void }

/** Makes the end that Node gives the connection after its last answer a lingering one. */
export function lingerAtEnd(socket: EndingSocket): void {
  socket.destroySoon = () => lingerClose(socket, LIMITS.httpLingerMs)
}

/** Ends the sending side, drops what comes, and closes when the client has ended too or a bound is reached. */
export function lingerClose(socket: Duplex, lingerMs: number): void {
  if (socket.destroyed) return
  let leftBytes: number = LIMITS.httpLingerBytes
  const close = (): void => void socket.destroy()
  const whole = setTimeout(close, lingerMs).unref()
  const silence = setTimeout(close, Math.min(lingerMs, LIMITS.httpLingerSilenceMs)).unref()
  // Nothing that still comes is a request: Node's parser would begin the next one.
  socket.removeAllListeners('data')
  socket.on('data', (chunk: Buffer) => {
    leftBytes -= chunk.length
    if (leftBytes < 0) return close()
    silence.refresh()
    const turn = BYTE_TURNS.spent(chunk.length)
    if (turn === null) return
    socket.pause()
    void turn.then(() => socket.resume())
  })
  socket.on('error', close)
  socket.once('end', close)
  socket.once('close', () => {
    clearTimeout(whole)
    clearTimeout(silence)
  })
  socket.end()
  socket.resume()
  // The parser may have stopped the socket beneath the stream, which then waits for a read that it believes to be running.
  socket._read(0)
}
