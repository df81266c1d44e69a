/** Certificates made for one test: an authority of its own, PEM throughout. */
import { generate } from 'selfsigned'

export type Certificate = { readonly cert: string; readonly key: string }

/** A self-signed certificate for a name and addresses, which is its own authority. */
export async function makeCertificate(
  commonName = 'localhost',
  addresses: readonly string[] = ['127.0.0.1'],
): Promise<Certificate> {
  const pems = await generate([{ name: 'commonName', value: commonName }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: false },
      { name: 'keyUsage', digitalSignature: true },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: [{ type: 2, value: commonName }, ...addresses.map(ip => ({ type: 7, ip }) as const)],
      },
    ],
  })
  return { cert: pems.cert, key: pems.private }
}
