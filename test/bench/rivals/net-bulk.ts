/** So many bytes in at one `net` socket: by its `data` events, by its `onread` option, or piped. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { ByteTally, bytesOf } from '../byte-tally.ts'
import { CountingSink } from '../counting-sink.ts'
import type { Outcome, Runner } from '../hosting/runner.ts'
import { orderFor } from '../peers/orders.ts'

export type NetBulkOptions = { readonly port: number; readonly how: 'data' | 'onread' | 'pipe' }

const READ_BYTES = 65_536

export async function open({ port, how }: NetBulkOptions): Promise<Runner> {
  let onChunk: (chunk: Uint8Array) => void = () => {}
  const callback = (count: number, buffer: Uint8Array): boolean => {
    onChunk(buffer.subarray(0, count))
    return true
  }
  const onread = { buffer: Buffer.alloc(READ_BYTES), callback }
  const socket = connect({ host: '127.0.0.1', port, noDelay: true, ...(how === 'onread' && { onread }) })
  await once(socket, 'connect')
  if (how === 'pipe') {
    const sink = new CountingSink()
    socket.pipe(sink)
    return { run: order => sink.take(bytesOf(order), bytes => socket.write(orderFor(bytes))) }
  }
  if (how === 'data') socket.on('data', chunk => onChunk(chunk))
  return {
    run: order =>
      new Promise<Outcome>(resolve => {
        const tally = new ByteTally(bytesOf(order))
        onChunk = chunk => {
          tally.add(chunk)
          if (tally.isComplete) resolve(tally.outcome())
        }
        socket.write(orderFor(bytesOf(order)))
      }),
  }
}
