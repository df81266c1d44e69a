/**
 * What somebody who needs no more writes in an hour: a route of Fastify, and sockets of `net` that lie in an array between
 * two requests. `node bare-service.ts '{"port", "ca", "pooled"}'`; without `pooled` each request dials.
 */
import fastify from 'fastify'
import { LineSocket, type Place } from './line-socket.ts'

type Options = Place & { readonly pooled: boolean }
type Body = { readonly target: string; readonly write: { readonly text: string }; readonly read: 'line' }

const TIMEOUT_MS = 30_000

const { pooled, ...place } = JSON.parse(process.argv[2] ?? '{}') as Options
const idle: LineSocket[] = []

async function take(): Promise<LineSocket> {
  for (let socket = idle.pop(); socket !== undefined; socket = idle.pop()) if (socket.isAlive) return socket
  return LineSocket.connect(place)
}

function giveBack(socket: LineSocket): void {
  if (pooled) idle.push(socket)
  else socket.destroy()
}

const app = fastify()
app.post<{ Body: Body }>('/v1/exchange', async request => {
  const socket = await take()
  const { offset, uses } = socket
  try {
    const line = await socket.ask(request.body.write.text, TIMEOUT_MS)
    giveBack(socket)
    return { data: line.toString(), encoding: 'utf8', offset, eof: false, reused: uses > 0 }
  } catch (error) {
    socket.destroy()
    throw error
  }
})
console.log(`listening on ${await app.listen({ host: '127.0.0.1', port: 0 })}`)
process.on('SIGTERM', () => process.exit())
