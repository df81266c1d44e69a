/** Starts the far end of a row that speaks TLS, with a certificate of its own. */
import { generate } from 'selfsigned'
import { Child } from '../child.ts'
import type { TlsIdentity, TlsPorts } from './tls-peer.ts'

export type TlsFarEnd = {
  readonly ports: TlsPorts
  /** Whom to trust, PEM. The name is `localhost`. */
  readonly ca: string
  readonly close: () => Promise<void>
}

export async function startTlsPeer(): Promise<TlsFarEnd> {
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: false },
      { name: 'subjectAltName', altNames: [{ type: 2, value: 'localhost' }] },
    ],
  })
  const child = new Child('./peers/tls-peer.ts')
  const ports = (await child.ask({ cert, key } satisfies TlsIdentity)) as TlsPorts
  return { ports, ca: cert, close: () => child.close() }
}
