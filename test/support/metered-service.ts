/** A service that has done one of everything that its metrics tell of. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { jsonOf } from './api.ts'
import { type ServiceFixture, startServiceFixture } from './service-fixture.ts'
import { until } from './until.ts'

const PING = '*1\r\n$4\r\nPING\r\n'
const SELECT = '*2\r\n$6\r\nSELECT\r\n$1\r\n5\r\n'

type Undo = (undo: () => Promise<void>) => void

/** Milliseconds that a caller waits for a connection that does not come. */
const SHORT_WAIT_MS = 20

export async function startMeteredService(onEnd: Undo): Promise<ServiceFixture> {
  const peer = await listening(createServer(serve), onEnd)
  const gone = await listening(createServer(), onEnd)
  await close(gone.server)
  const place = { host: '127.0.0.1', port: peer.port, frame: 'resp' }
  const service = await startServiceFixture({
    config: {
      ioWorkers: 1,
      limits: { drainTimeout: 0 },
      egress: { allow: [`127.0.0.0/8:${peer.port}`] },
      targets: {
        cache: { ...place, pool: { max: 2 } },
        shared: { ...place, multiplex: { connections: 1 } },
        gone: { host: '127.0.0.1', port: gone.port, breaker: { failures: 1 } },
      },
      forwards: [{ listen: '127.0.0.1:0', target: 'cache', mode: 'message' }],
    },
    finally: onEnd,
  })
  await doAll(service, peer.port)
  return service
}

async function doAll(service: ServiceFixture, port: number): Promise<void> {
  const { api } = service
  const exchange = (target: unknown, read?: string): Promise<unknown> =>
    api.post('/v1/exchange', { json: { target, write: { text: PING }, ...(read !== undefined && { read }) } })
  await exchange('cache')
  await exchange('shared')
  await exchange('gone', 'line')
  await exchange({ host: '127.0.0.1', port }, 'line')
  await exchange({ host: '127.0.0.1', port: port - 1 }, 'line')
  const [held, killed] = [await api.lease('cache'), await api.lease('cache')]
  await api.post('/v1/leases', { json: { target: 'cache', waitMs: SHORT_WAIT_MS } })
  await api.request('DELETE', `/v1/leases/${killed.view.id}?kill=true`)
  await held.release()
  const octets = { 'content-type': 'application/octet-stream' }
  await api.post('/v1/parse/json', { body: '[1]', headers: octets })
  await api.post('/v1/parse/json', { body: `[${'1,'.repeat(10_000)}1]`, headers: octets })
  await pin(service)
}

/** A client of the forward that needs a connection to itself. */
async function pin({ api }: ServiceFixture): Promise<void> {
  const { forwards } = jsonOf<{ forwards: { listen: string }[] }>(await api.get('/v1/forwards'))
  const client = connect({ host: '127.0.0.1', port: Number(forwards[0]?.listen.split(':').at(-1)) })
  let text = ''
  client.on('data', bytes => {
    text += String(bytes)
  })
  client.write(SELECT)
  await until('it is answered', () => text === '+OK\r\n')
  client.destroy()
}

/** Answers whatever comes, a piece at a time. */
function serve(socket: Socket): void {
  socket.on('error', () => {})
  socket.on('data', () => void socket.write('+OK\r\n'))
}

async function listening(server: Server, onEnd: Undo): Promise<{ server: Server; port: number }> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  onEnd(() => close(server))
  return { server, port }
}

async function close(server: Server): Promise<void> {
  if (!server.listening) return
  server.close()
  await once(server, 'close')
}
