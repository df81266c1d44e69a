/** A certificate for `localhost` and 127.0.0.1, made once per process; it is its own authority. */
import { type Certificate, makeCertificate } from './certificates.ts'

export type TestCertificate = Certificate

const made = new Map<string, Promise<TestCertificate>>()

/** `name` stands in the certificate; the address 127.0.0.1 too, unless another name is asked for. */
export function testCertificate(name = 'localhost'): Promise<TestCertificate> {
  let pair = made.get(name)
  if (pair === undefined) {
    pair = makeCertificate(name, name === 'localhost' ? ['127.0.0.1'] : [])
    made.set(name, pair)
  }
  return pair
}
