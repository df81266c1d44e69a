/** A start of TLS that the cases cannot play: the reader is paused when it comes. */
import { once } from 'node:events'
import { connect } from 'node:tls'
import { expect, test } from 'vitest'
import { allOf, closed, dial, serve } from '../support/server-fixture.ts'
import { testCertificate } from '../support/tls-certs.ts'
import { until } from '../support/until.ts'

const RING_BYTES = 4_096
const LIMIT_BYTES = 1_024
const SECRET_BYTES = 300_000
const SECRET = Buffer.alloc(SECRET_BYTES, 'secret')

/** As many as make the first word of a client twice as long as the ring. */
const PROTOCOLS = Array.from({ length: 1_000 }, (_, number) => `name-${number}`)

test('start_tls with the reader paused: what came and what comes is the handshake, and reading goes on', async () => {
  const certificate = await testCertificate()
  const { server } = await serve(
    async (reader, writer) => {
      await until('the reader was paused', () => reader.buffered === RING_BYTES)
      await writer.startTls(certificate)
      // Not a byte of the handshake is among them.
      const secret = await reader.readExactly(SECRET_BYTES)
      writer.write(secret.equals(SECRET) ? 'the same' : 'another')
      writer.close()
    },
    { limit: LIMIT_BYTES },
    { rings: { inboundBytes: RING_BYTES } },
  )
  const plain = await dial(server)
  const client = connect({
    socket: plain,
    ca: certificate.cert,
    servername: 'localhost',
    ALPNProtocols: PROTOCOLS,
  })
  await once(client, 'secureConnect')
  client.write(SECRET)
  expect(await allOf(client)).toBe('the same')
  await closed(plain)
})
