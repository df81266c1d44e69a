/** The bare service with generic-pool in place of an array. `node generic-pool-service.ts '{"port", "ca", "max"}'`. */
import fastify from 'fastify'
import { createPool } from 'generic-pool'
import { LineSocket, type Place } from './line-socket.ts'

type Options = Place & { readonly max: number }
type Body = { readonly target: string; readonly write: { readonly text: string }; readonly read: 'line' }

const TIMEOUT_MS = 30_000

const { max, ...place } = JSON.parse(process.argv[2] ?? '{}') as Options
const pool = createPool(
  { create: () => LineSocket.connect(place), destroy: async (socket: LineSocket) => socket.destroy() },
  { max },
)

const app = fastify()
app.post<{ Body: Body }>('/v1/exchange', async request => {
  const socket = await pool.acquire()
  const { offset, uses } = socket
  try {
    const line = await socket.ask(request.body.write.text, TIMEOUT_MS)
    await pool.release(socket)
    return { data: line.toString(), encoding: 'utf8', offset, eof: false, reused: uses > 0 }
  } catch (error) {
    await pool.destroy(socket)
    throw error
  }
})
console.log(`listening on ${await app.listen({ host: '127.0.0.1', port: 0 })}`)
process.on('SIGTERM', () => process.exit())
