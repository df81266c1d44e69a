/** What load.c is, for machines without a C compiler. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { createInterface } from 'node:readline'

const MESSAGE = Buffer.alloc(64, 0x61)
const MIB = 1_048_576

async function dial(port: number): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true })
  await once(socket, 'connect')
  return socket
}

function answer(socket: Socket): Promise<void> {
  return new Promise(resolve => {
    let got = 0
    const onData = (chunk: Buffer): void => {
      got += chunk.length
      if (got < MESSAGE.length) return
      socket.off('data', onData)
      resolve()
    }
    socket.on('data', onData)
    socket.write(MESSAGE)
  })
}

async function echo(port: number, connections: number, forMs: number): Promise<number> {
  const sockets = await Promise.all(Array.from({ length: connections }, () => dial(port)))
  await Promise.all(sockets.map(answer))
  beginMs = performance.now()
  const endMs = beginMs + forMs
  let answers = 0
  const loop = async (socket: Socket): Promise<void> => {
    for (; performance.now() < endMs; answers++) await answer(socket)
  }
  await Promise.all(sockets.map(loop))
  for (const socket of sockets) socket.destroy()
  return answers
}

async function take(port: number, bytes: number): Promise<number> {
  const socket = await dial(port)
  const order = Buffer.alloc(8)
  order.writeBigUInt64BE(BigInt(bytes))
  beginMs = performance.now()
  socket.write(order)
  let left = bytes
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    left -= chunk.length
    if (left <= 0) break
  }
  return bytes / MIB
}

let beginMs = 0
for await (const line of createInterface({ input: process.stdin })) {
  const [what, port, first, second] = line.split(' ')
  const count =
    what === 'echo'
      ? await echo(Number(port), Number(first), Number(second))
      : await take(Number(port), Number(first))
  process.stdout.write(`${count} ${((performance.now() - beginMs) * 1_000).toFixed(0)}\n`)
}
