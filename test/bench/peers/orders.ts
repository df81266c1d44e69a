/** Sends as many bytes as it is asked for: each 8 bytes that come are a big-endian count. */
import type { Socket } from 'node:net'

export const ORDER_BYTES = 8

/** The order for so many bytes. */
export function orderFor(bytes: number): Buffer {
  const order = Buffer.alloc(ORDER_BYTES)
  order.writeBigUInt64BE(BigInt(bytes))
  return order
}

/** Answers the orders of one client with the block, again and again. */
export function sendOrdered(socket: Socket, block: Buffer): void {
  let order = Buffer.alloc(0)
  let owed = 0
  const send = (): void => {
    while (owed > 0) {
      const chunk = owed >= block.length ? block : block.subarray(0, owed)
      owed -= chunk.length
      if (!socket.write(chunk)) return
    }
  }
  socket.on('drain', send)
  socket.on('data', chunk => {
    order = Buffer.concat([order, chunk])
    for (; order.length >= ORDER_BYTES; order = order.subarray(ORDER_BYTES))
      owed += Number(order.readBigUInt64BE())
    if (!socket.writableNeedDrain) send()
  })
}
