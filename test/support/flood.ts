import type { Socket } from 'node:net'
import { pattern } from './pattern-check.ts'

/** Sends `total` bytes of the pattern as fast as the peer takes them, then FIN. */
export function flood(socket: Socket, total: number): void {
  const step = 65_536
  let sent = 0
  const more = (): void => {
    while (sent < total) {
      const count = Math.min(step, total - sent)
      const goesOn = socket.write(pattern(sent, count))
      sent += count
      if (!goesOn) return
    }
    socket.off('drain', more)
    socket.end()
  }
  socket.on('drain', more)
  more()
}
