/**
 * What peer.c is, for machines without a C compiler, and the port of rows `parse` and `parse-run`.
 *
 *   echo      sends back what it gets
 *   bulk      for each 8 bytes, a big-endian count, sends so many bytes
 *   lines     likewise, lines of 100 bytes
 *   sink      for each 8 bytes, a big-endian count, takes so many bytes and then sends one
 *   records   as bulk, the bytes of records.ts
 */
import { createServer, type Server, type Socket } from 'node:net'
import { recordsBlock } from '../records.ts'
import { ORDER_BYTES, sendOrdered } from './orders.ts'

/** The one message of this process. */
export type PeerPorts = {
  readonly echo: number
  readonly bulk: number
  readonly lines: number
  readonly sink: number
  readonly records: number
}

function echo(socket: Socket): void {
  socket.on('error', () => socket.destroy())
  socket.on('data', chunk => socket.write(chunk))
}

function bulk(socket: Socket, block: Buffer): void {
  socket.on('error', () => socket.destroy())
  sendOrdered(socket, block)
}

function sink(socket: Socket): void {
  let order = Buffer.alloc(0)
  let owed = 0
  socket.on('error', () => socket.destroy())
  socket.on('data', chunk => {
    let bytes: Buffer = chunk
    while (bytes.length > 0) {
      if (owed === 0) {
        const part = bytes.subarray(0, ORDER_BYTES - order.length)
        order = Buffer.concat([order, part])
        bytes = bytes.subarray(part.length)
        if (order.length < ORDER_BYTES) return
        owed = Number(order.readBigUInt64BE())
        order = Buffer.alloc(0)
        continue
      }
      const taken = Math.min(owed, bytes.length)
      owed -= taken
      bytes = bytes.subarray(taken)
      if (owed === 0) socket.write('k')
    }
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
const lines = Buffer.from(`${'a'.repeat(99)}\n`.repeat(2_621))
const records = recordsBlock()
const ports: PeerPorts = {
  echo: await listen(createServer({ noDelay: true }, echo)),
  bulk: await listen(createServer({ noDelay: true }, socket => bulk(socket, fill))),
  lines: await listen(createServer({ noDelay: true }, socket => bulk(socket, lines))),
  sink: await listen(createServer({ noDelay: true }, sink)),
  records: await listen(createServer({ noDelay: true }, socket => bulk(socket, records))),
}
process.send?.(ports)
process.on('disconnect', () => process.exit())
