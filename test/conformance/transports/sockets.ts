/** `openConnection` to a real server: bytes go through an I/O worker and its rings. */
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { openConnection } from '../../../src/library/open-connection.ts'
import type { TransportName } from '../exemptions.ts'
import { onCaseFinished, runCase, type Surface } from '../surface.ts'
import type { Transport } from '../transport.ts'
import { PeerServer } from './peer-server.ts'
import { socketLink } from './socket-link.ts'

export const tcp: Surface = connectionSurface('tcp', false)
export const tls: Surface = connectionSurface('tls', true)

function connectionSurface(name: TransportName, isTls: boolean): Surface {
  let server: PeerServer | null = null
  let transport: Transport | null = null
  return {
    name,
    start: async () => {
      server = await PeerServer.start(isTls)
      transport = transportTo(server)
      await warmUp()
    },
    run: async entry => {
      if (transport === null) throw new Error('it was not started')
      await runCase(entry, transport)
    },
    stop: async () => await server?.close(),
  }
}

function transportTo(server: PeerServer): Transport {
  const security = server.ca === '' ? {} : { tls: { ca: server.ca, servername: 'localhost' } }
  return {
    open: async options => {
      const [reader, writer] = await openConnection('127.0.0.1', server.port, { ...security, ...options })
      onCaseFinished(async () => {
        writer.abort()
        await writer.waitClosed().catch(error => error)
        await server.clear()
      })
      const [, port] = writer.getExtraInfo('sockname') as [string, number]
      return socketLink(reader, writer, await server.connectionOf(port))
    },
    dial: port => openConnection('127.0.0.1', port),
  }
}

/** Makes the pool of openConnection, which is there for as long as the process: it is nobody's leak. */
async function warmUp(): Promise<void> {
  const server = createServer(socket => socket.destroy()).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const [reader, writer] = await openConnection('127.0.0.1', port)
  await reader.read().catch(error => error)
  writer.close()
  await writer.waitClosed().catch(error => error)
  await new Promise(resolve => server.close(resolve))
}
