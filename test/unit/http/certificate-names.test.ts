import { describe, expect, test } from 'vitest'
import { certificateNames } from '../../../src/http/door/certificate-names.ts'

const peer = (subject: object, subjectaltname?: unknown, authorized = true) => ({
  authorized,
  getPeerCertificate: () => ({ subject, subjectaltname }),
})

describe('certificateNames', () => {
  test.each([
    [{ CN: 'ops' }, undefined, ['ops']],
    [{ CN: 'ops' }, 'DNS:ops.internal, DNS:other', ['ops', 'ops.internal']],
    [{}, 'IP Address:127.0.0.1, URI:spiffe://a/ops, DNS:later', ['spiffe://a/ops']],
    [{}, 'DNS:"a, DNS:admin", DNS:b', ['a, DNS:admin']],
    [{}, 'email:"x, DNS:admin, y"', []],
    [{}, 'email:"x, DNS:admin, y", DNS:b', ['b']],
    [{}, 'email:x"y, DNS:admin', []],
    [{}, 'DNS:"\\x"', []],
    [{}, 'othername:<unsupported>', []],
    [{ CN: ['ops', 'admin'] }, undefined, []],
    [{ O: 'ops' }, undefined, []],
  ])('reads %j with %j as %j', (subject, alternatives, names) => {
    expect(certificateNames(peer(subject, alternatives))).toEqual(names)
  })

  test('gives none where nothing was verified', () => {
    expect(certificateNames(peer({ CN: 'ops' }, undefined, false))).toEqual([])
    expect(certificateNames({})).toEqual([])
    expect(certificateNames({ authorized: true, getPeerCertificate: () => null })).toEqual([])
  })
})
