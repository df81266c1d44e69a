/** A TLS peer that answers the first bytes it gets and then ends, with the word that TLS has for it or without. */
import type { Socket } from 'node:net'
import { type SecureVersion, TLSSocket } from 'node:tls'
import { startTestServer, type TestServer } from './test-server.ts'
import { testCertificate } from './tls-certs.ts'

/** `close_notify`: TLS ends, then TCP; `cut`: TCP alone ends; `reset`: TCP breaks. */
export type TlsEnd = 'close_notify' | 'cut' | 'reset'

export type TlsEnderTraits = {
  readonly end: TlsEnd
  readonly reply: string | Uint8Array
  readonly version?: SecureVersion
  /** It speaks plain text until it is asked for TLS, by the first bytes. */
  readonly asked?: boolean
}

export type TlsEnder = TestServer & { readonly trust: { readonly ca: string; readonly servername: string } }

export async function startTlsEnder({
  end,
  reply,
  version,
  asked = false,
}: TlsEnderTraits): Promise<TlsEnder> {
  const { cert, key } = await testCertificate()
  const speak = (raw: Socket): void => {
    const versions = version === undefined ? {} : { minVersion: version, maxVersion: version }
    const secured = new TLSSocket(raw, { isServer: true, cert, key, ...versions })
    secured.on('error', () => {})
    // For as long as it is read from, so that what it gets cannot turn its FIN into a reset.
    secured.once('data', () => endAfter(raw, secured, end, reply)).on('data', () => {})
    secured.once('end', () => secured.end())
  }
  const server = await startTestServer(
    raw => {
      if (!asked) return speak(raw)
      raw.once('data', () => {
        raw.write('ready\n')
        speak(raw)
      })
    },
    { halfOpen: true, tolerant: true },
  )
  return Object.assign(server, { trust: { ca: cert, servername: 'localhost' } })
}

export function endAfter(raw: Socket, secured: TLSSocket, end: TlsEnd, reply: string | Uint8Array): void {
  secured.write(reply, () => {
    if (end === 'close_notify') secured.end()
    else if (end === 'cut') raw.end()
    else raw.resetAndDestroy()
  })
}
