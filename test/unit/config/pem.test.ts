/** PEM text as it comes in: what is read of it, what is refused, and that TLS gets no other text. */
import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import { createSecureContext, rootCertificates } from 'node:tls'
import { describe, expect, test } from 'vitest'
import type { SockpoolError } from '../../../src/base/errors.ts'
import { LIMITS } from '../../../src/base/limits.ts'
import { pairFault, readPem } from '../../../src/config/pem.ts'
import { normaliseTarget } from '../../../src/config/target.ts'
import { normaliseServerTls } from '../../../src/config/tls-options.ts'
import { thrown } from '../../fixtures/thrown.ts'
import { makeCertificate } from '../../support/certificates.ts'

const [a, b] = [await makeCertificate('a.test'), await makeCertificate('b.test')]
const BROKEN = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'

/** The names of the certificates that were read. */
function namesIn(text: string): string[] {
  const read = readPem('certificates', text)
  if (read.kind === 'fault') throw new Error(read.message)
  const blocks = read.text.split(/(?=-----BEGIN)/)
  return blocks.map(block => new X509Certificate(block).subject)
}

describe('readPem', () => {
  test.each([
    ['with a line break between', `${a.cert.trim()}\n${b.cert}`],
    ['without one', a.cert.trim() + b.cert.trim()],
    ['with CRLF', (a.cert + b.cert).replaceAll('\n', '\r\n')],
    ['with text around', `\ufeff# the first\n${a.cert}\nand the second - really:\n${b.cert}\nend`],
    ['with spaces in the lines', a.cert.replaceAll('\n', ' \n\t') + b.cert],
    ['beside a key', a.cert + a.key + b.cert],
  ])('reads each of several certificates: %s', (_how, text) => {
    expect(namesIn(text)).toEqual(['CN=a.test', 'CN=b.test'])
    const read = readPem('certificates', text)
    expect(read).toEqual({ kind: 'read', text: `${a.cert.trim()}\n${b.cert.trim()}\n` })
  })

  test('reads all that the platform trusts', () => {
    expect(namesIn(rootCertificates.join(''))).toHaveLength(rootCertificates.length)
  })

  test.each([
    [
      'a broken one among others',
      a.cert + BROKEN + b.cert,
      /^holds certificate 2 of 3 that cannot be loaded: ./,
    ],
    ['a broken one alone', BROKEN, /^holds a certificate that cannot be loaded: ./],
    ['one that is no base64', a.cert.replace('M', '*'), /cannot be loaded: it is no base64$/],
    ['one that is cut off', a.cert + b.cert.slice(0, -30), /^has a PEM block without its END line$/],
    [
      'one that ends as something else',
      a.cert.replace('END CERT', 'END X509 CERT'),
      /^has a PEM block without/,
    ],
    ['a key alone', a.key, /^holds no certificate$/],
    ['no PEM', './ca.pem', /^holds no PEM text$/],
    ['too many', a.cert.repeat(LIMITS.pemBlocksMax + 1), /^holds more than 512 certificates$/],
    ['too much', ' '.repeat(LIMITS.configFileBytesMax + 1), /^is longer than/],
  ])('refuses certificates: %s', (_what, text, message) => {
    expect(readPem('certificates', text)).toEqual({ kind: 'fault', message: expect.stringMatching(message) })
    // What was refused once is not taken the second time.
    expect(readPem('certificates', text).kind).toBe('fault')
  })

  const keys = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const pem = { type: 'pkcs8', format: 'pem' } as const

  test('reads a private key of each form, beside certificates', () => {
    for (const text of [
      a.key,
      a.cert + a.key,
      String(keys.privateKey.export(pem)),
      String(keys.privateKey.export({ type: 'pkcs1', format: 'pem' })),
      String(generateKeyPairSync('ed25519').privateKey.export(pem)),
    ]) {
      const read = readPem('private key', text)
      if (read.kind === 'fault') throw new Error(read.message)
      expect(text).toContain(read.text.trim())
    }
  })

  const locked = { cipher: 'aes-256-cbc', passphrase: 'hunter2' }

  test.each([
    ['encrypted', String(keys.privateKey.export({ ...pem, ...locked })), /is encrypted, and nobody is asked/],
    [
      'encrypted in the old form',
      String(keys.privateKey.export({ type: 'pkcs1', format: 'pem', ...locked })),
      /it is no base64, or is encrypted$/,
    ],
    ['broken', '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----', /that cannot be loaded/],
    ['two', a.key + b.key, /^holds more than one private key$/],
    ['none', a.cert, /^holds no private key$/],
  ])('refuses a private key: %s', (_what, text, message) => {
    const read = readPem('private key', text)
    expect(read).toEqual({ kind: 'fault', message: expect.stringMatching(message) })
    expect(JSON.stringify(read)).not.toContain('AAAA')
  })

  test('gives TLS what it loads', () => {
    const read = readPem('certificates', a.cert.trim() + b.cert.trim())
    if (read.kind === 'fault') throw new Error(read.message)
    expect(() => createSecureContext({ ca: read.text, cert: read.text, key: a.key })).not.toThrow()
  })
})

test('pairFault tells a key that is not of the first certificate', () => {
  expect(pairFault(`${a.cert}\n${b.cert}`, a.key)).toBe(null)
  expect(pairFault(`${b.cert}\n${a.cert}`, a.key)).toMatch(/is not the private key/)
})

describe('TLS options', () => {
  const errorsOf = (call: () => unknown) => (thrown(call) as SockpoolError).errors
  const target = (tls: object) => () => normaliseTarget({ host: 'a', port: 1, tls })

  test('of a target name the part that cannot be loaded', () => {
    const { tls } = normaliseTarget({ host: 'a', port: 1, tls: { ca: Buffer.from(a.cert.trim() + b.cert) } })
    expect(tls).toEqual({ ca: `${a.cert.trim()}\n${b.cert.trim()}\n` })
    expect(errorsOf(target({ ca: a.cert + BROKEN }))).toMatchObject([{ path: 'tls.ca' }])
    expect(errorsOf(target({ cert: a.cert, key: b.key }))).toMatchObject([{ path: 'tls.key' }])
    expect(errorsOf(target({ cert: BROKEN, key: 'x' }))).toMatchObject([
      { path: 'tls.cert' },
      { path: 'tls.key' },
    ])
  })

  test('of a server name it too', () => {
    const server = (tls: object) => () => normaliseServerTls(tls)
    expect(errorsOf(server({ cert: a.cert, key: b.key }))).toMatchObject([{ path: 'tls.key' }])
    expect(errorsOf(server({ ...a, ca: BROKEN }))).toMatchObject([{ path: 'tls.ca' }])
    expect(errorsOf(server({ cert: a.cert }))).toMatchObject([{ path: 'tls.key', message: 'is required' }])
  })
})
