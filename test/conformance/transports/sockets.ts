/** `openConnection` to a real server: bytes go through an I/O worker and its rings. */
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { inspect } from 'node:util'
import { onTestFinished } from 'vitest'
import { openConnection } from '../../../src/open-connection.ts'
import { until } from '../../support/until.ts'
import type { Link, OpenOptions, Trait, Transport, WriterLink } from '../transport.ts'
import { socketPeer, startPeerServer } from './peer-server.ts'

const COMMON: readonly Trait[] = ['whole', 'break', 'writer', 'socket']

export const tcp: Transport = {
  name: 'tcp',
  traits: new Set<Trait>([...COMMON, 'half-close']),
  open: options => openLink(false, options),
}

export const tls: Transport = {
  name: 'tls',
  traits: new Set(COMMON),
  open: options => openLink(true, options),
}

async function openLink(isTls: boolean, options: OpenOptions = {}): Promise<Link> {
  const server = await startPeerServer(isTls)
  const security = isTls ? { tls: { ca: server.ca, servername: 'localhost' } } : {}
  const [reader, writer] = await openConnection('127.0.0.1', server.port, { ...security, ...options })
  onTestFinished(async () => {
    writer.abort()
    await writer.waitClosed().catch(error => error)
  })
  const { stream, socket } = await server.next()
  let sent = 0
  const send = (text: string | Uint8Array): void => {
    const bytes = Buffer.from(text)
    sent += bytes.length
    stream.write(bytes)
  }
  const link: WriterLink = {
    reader,
    writer,
    send,
    arrive: async text => {
      send(text)
      await until('the bytes arrived', () => reader.offset + reader.buffered >= sent)
    },
    finish: async () => {
      stream.end()
      await until('the end arrived', () => inspect(reader).includes(' eof'))
    },
    break: async () => {
      socket.resetAndDestroy()
      await until('the reset arrived', () => reader.exception() !== null)
    },
    peer: socketPeer(stream),
  }
  return link
}

/** Makes the pool of openConnection, which is there for as long as the process: it is nobody's leak. */
export async function warmUp(): Promise<void> {
  const server = createServer(socket => socket.destroy()).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const [reader, writer] = await openConnection('127.0.0.1', port)
  await reader.read().catch(error => error)
  writer.close()
  await writer.waitClosed().catch(error => error)
  await new Promise(resolve => server.close(resolve))
}
