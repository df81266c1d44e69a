/** Lines by `node:readline` over a `net` socket. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import { bytesOf } from '../byte-tally.ts'
import type { Outcome, Runner } from '../hosting/runner.ts'
import { LINE_BYTES, LINES_SHARE } from '../line-bytes.ts'
import { orderFor } from '../peers/orders.ts'

export async function open({ port }: { readonly port: number }): Promise<Runner> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true })
  await once(socket, 'connect')
  let onLine: (line: string) => void = () => {}
  createInterface({ input: socket }).on('line', line => onLine(line))
  return {
    run: order =>
      new Promise<Outcome>(resolve => {
        const lines = Math.floor((bytesOf(order) * LINES_SHARE) / LINE_BYTES)
        let left = lines
        let bytes = 0
        const beganMs = performance.now()
        onLine = line => {
          bytes += line.length + 1
          left -= 1
          if (left > 0) return
          if (bytes !== lines * LINE_BYTES) throw new Error(`${bytes} bytes came`)
          resolve({ count: lines, elapsedMs: performance.now() - beganMs })
        }
        socket.write(orderFor(lines * LINE_BYTES))
      }),
  }
}
