/**
 * The far end of all rows, in a process of its own, so that it shares no thread with what is measured. Both servers
 * do as little as they can: they are the same for all contenders, and what they cost hides differences.
 *
 *   echo      sends back what it gets
 *   bulk      for each 8 bytes, a big-endian count, sends so many bytes
 *   records   likewise, the bytes of records.ts
 */
import { createServer, type Server, type Socket } from 'node:net'
import { recordsBlock } from './records.ts'

/** The one message of this process. */
export type PeerPorts = { readonly echo: number; readonly bulk: number; readonly records: number }

const ORDER_BYTES = 8

function echo(socket: Socket): void {
  socket.on('error', () => socket.destroy())
  socket.on('data', chunk => socket.write(chunk))
}

function bulk(socket: Socket, block: Buffer): void {
  let order = Buffer.alloc(0)
  let owed = 0
  const send = (): void => {
    while (owed > 0) {
      const chunk = owed >= block.length ? block : block.subarray(0, owed)
      owed -= chunk.length
      if (!socket.write(chunk)) return
    }
  }
  socket.on('error', () => socket.destroy())
  socket.on('drain', send)
  socket.on('data', chunk => {
    order = Buffer.concat([order, chunk])
    for (; order.length >= ORDER_BYTES; order = order.subarray(ORDER_BYTES))
      owed += Number(order.readBigUInt64BE())
    if (!socket.writableNeedDrain) send()
  })
}

function listen(server: Server): Promise<number> {
  return new Promise(resolve => {
    server.listen({ host: '127.0.0.1', port: 0, backlog: 1_024 }, () => {
      const address = server.address()
      resolve(typeof address === 'object' && address ? address.port : 0)
    })
  })
}

const fill = Buffer.alloc(262_144, 0x61)
const records = recordsBlock()
const ports: PeerPorts = {
  echo: await listen(createServer({ noDelay: true }, echo)),
  bulk: await listen(createServer({ noDelay: true }, socket => bulk(socket, fill))),
  records: await listen(createServer({ noDelay: true }, socket => bulk(socket, records))),
}
process.send?.(ports)
process.on('disconnect', () => process.exit())
