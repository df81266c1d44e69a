/** Forwards that tell the target whose a connection is: `proxyProtocol: v2`. */
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { expect, test } from 'vitest'
import { forwardOnce, startForwards, Visitor } from '../support/forward-fixture.ts'
import { startTestServer } from '../support/test-server.ts'
import { testCertificate } from '../support/tls-certs.ts'

const FREE = '127.0.0.1:0'
const MAGIC = '0d0a0d0a000d0a515549540a'

type Header = { readonly command: number; readonly family: number; readonly addresses: Buffer }

/** Reads the header off a connection, and leaves what comes behind it to be read. */
async function headerOf(socket: Socket): Promise<Header> {
  const take = async (count: number): Promise<Buffer> => {
    if (count === 0) return Buffer.alloc(0)
    for (;;) {
      const bytes = socket.read(count) as Buffer | null
      if (bytes !== null) return bytes
      await new Promise(resolve => socket.once('readable', resolve))
    }
  }
  const head = await take(16)
  expect(head.subarray(0, 12).toString('hex')).toBe(MAGIC)
  const addresses = await take(head.readUInt16BE(14))
  return { command: head.readUInt8(12), family: head.readUInt8(13), addresses }
}

/** A server that answers each connection with its header's fields, and echoes from then on. */
async function headed(speak: (socket: Socket, header: Header) => void) {
  return await startTestServer(
    socket => {
      void headerOf(socket).then(header => speak(socket, header))
    },
    { halfOpen: true, tolerant: true },
  )
}

function describeHeader({ command, family, addresses }: Header): string {
  const ports = family === 0x11 ? [addresses.readUInt16BE(8), addresses.readUInt16BE(10)] : []
  return `${command.toString(16)} ${family.toString(16)} ${[...addresses.subarray(0, 8)].join('.')} ${ports.join(' ')}\n`
}

test('a forward names each client before its first byte, and lends its connection to nobody else', async () => {
  const server = await headed((socket, header) => {
    socket.write(describeHeader(header))
    socket.pipe(socket)
  })
  const service = await startForwards({
    targets: { it: { host: '127.0.0.1', port: server.port, frame: 'line', pool: { max: 2 } } },
    forwards: [{ listen: FREE, target: 'it', proxyProtocol: 'v2' }],
  })
  const place = await service.place()
  for (let round = 1; round <= 3; round++) {
    const visitor = await Visitor.at(place)
    visitor.write('asked\n')
    const { localPort } = visitor.socket
    await visitor.received(`21 11 127.0.0.1.127.0.0.1 ${localPort} ${place.port}\nasked\n`)
    visitor.socket.end()
    await visitor.ended()
    await forwardOnce(service.api, ({ served }) => served['half_closed'] === round)
  }
  expect(server.accepted).toBe(3)
})

test('a caller of the API, and what is kept warm, are told as nobody', async () => {
  const server = await headed((socket, header) => {
    socket.write(describeHeader(header))
    socket.pipe(socket)
  })
  const service = await startForwards({
    targets: { it: { host: '127.0.0.1', port: server.port, pool: { max: 2, min: 1 } } },
    forwards: [{ listen: FREE, target: 'it', proxyProtocol: 'v2' }],
  })
  const lease = await service.api.lease('it')
  expect((await service.api.post(`${lease.path}/readline`)).text).toBe('20 0  \n')
  const visitor = await Visitor.at(await service.place())
  visitor.write('x')
  const { localPort } = visitor.socket
  await visitor.received(`21 11 127.0.0.1.127.0.0.1 ${localPort} ${(await service.place()).port}\nx`)
  await lease.release('?discard=true')
})

test('clients take their turns where there is room for one of them alone', async () => {
  const server = await headed((socket, header) => {
    socket.write(describeHeader(header))
    socket.pipe(socket)
  })
  const service = await startForwards({
    targets: { it: { host: '127.0.0.1', port: server.port, pool: { max: 1, min: 1 } } },
    forwards: [{ listen: FREE, target: 'it', proxyProtocol: 'v2' }],
  })
  const place = await service.place()
  const visitors = [await Visitor.at(place), await Visitor.at(place), await Visitor.at(place)]
  for (const visitor of visitors) {
    await visitor.received(`21 11 127.0.0.1.127.0.0.1 ${visitor.socket.localPort} ${place.port}\n`)
    visitor.socket.end()
    await visitor.ended()
  }
})

test('the header goes before TLS', async () => {
  const { cert, key } = await testCertificate()
  const server = await headed((socket, header) => {
    const secured = new TLSSocket(socket, { isServer: true, cert, key })
    secured.on('error', () => {})
    secured.write(describeHeader(header))
    secured.pipe(secured)
  })
  const service = await startForwards(
    {
      targets: {
        it: { host: '127.0.0.1', port: server.port, tls: { ca: 'ca.pem', servername: 'localhost' } },
      },
      forwards: [{ listen: FREE, target: 'it', proxyProtocol: 'v2' }],
    },
    { files: { 'ca.pem': cert } },
  )
  const place = await service.place()
  const visitor = await Visitor.at(place)
  visitor.write('sealed')
  await visitor.received(`21 11 127.0.0.1.127.0.0.1 ${visitor.socket.localPort} ${place.port}\nsealed`)
})

test('a client of a unix socket is told by the path', async () => {
  const server = await headed((socket, { command, family, addresses }) => {
    const path = addresses.subarray(108).toString('utf8').replaceAll('\0', '')
    socket.end(`${command.toString(16)} ${family.toString(16)} ${addresses.length} ${path}\n`)
  })
  const path = `/tmp/sockpool-proxy-${process.pid}.sock`
  await startForwards({
    targets: { it: { host: '127.0.0.1', port: server.port } },
    forwards: [{ listen: `unix:${path}`, target: 'it', proxyProtocol: 'v2' }],
  })
  const visitor = await Visitor.at({ path })
  await visitor.ended()
  expect(visitor.text).toBe(`21 31 216 ${path}\n`)
})
