/** A certificate for `localhost` and 127.0.0.1, made once per process; it is its own authority. */
import { generate } from 'selfsigned'

export type TestCertificate = { readonly key: string; readonly cert: string }

const made = new Map<string, Promise<TestCertificate>>()

/** `name` stands in the certificate; the address 127.0.0.1 too, unless another name is asked for. */
export function testCertificate(name = 'localhost'): Promise<TestCertificate> {
  let pair = made.get(name)
  if (pair === undefined) {
    pair = make(name)
    made.set(name, pair)
  }
  return pair
}

async function make(name: string): Promise<TestCertificate> {
  const address = { type: 7, ip: '127.0.0.1' } as const
  const pems = await generate([{ name: 'commonName', value: name }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: false },
      { name: 'keyUsage', digitalSignature: true },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: [{ type: 2, value: name }, ...(name === 'localhost' ? [address] : [])],
      },
    ],
  })
  return { key: pems.private, cert: pems.cert }
}
