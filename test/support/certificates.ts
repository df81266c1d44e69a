/** Certificates made for one test: an authority of its own, PEM throughout. */
import { generate } from 'selfsigned'

export type Certificate = { readonly cert: string; readonly key: string }

/** A self-signed certificate for `localhost` and 127.0.0.1, which is its own authority. */
export async function makeCertificate(commonName = 'localhost'): Promise<Certificate> {
  const pems = await generate([{ name: 'commonName', value: commonName }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: false },
      { name: 'keyUsage', digitalSignature: true },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: commonName },
          { type: 7, ip: '127.0.0.1' },
        ],
      },
    ],
  })
  return { cert: pems.cert, key: pems.private }
}
