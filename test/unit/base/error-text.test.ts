import { createPrivateKey } from 'node:crypto'
import { expect, test } from 'vitest'
import { errorText } from '../../../src/base/error-text.ts'
import { SockpoolError } from '../../../src/base/errors.ts'
import { tlsError } from '../../../workers/io/socket-error.ts'
import { thrown } from '../../fixtures/thrown.ts'

const FILE = '../deps/openssl/openssl/ssl/record/rec_layer_s3.c:918'

test.each([
  [
    '404D0804467F0000:error:0A00010B:SSL routines:tls_validate_record_header:wrong version number:../deps/openssl/openssl/ssl/record/methods/tlsany_meth.c:77:\n',
    'SSL: wrong version number',
  ],
  [
    `00F8123456789ABC:error:0A00045C:SSL routines:ssl3_read_bytes:tlsv13 alert certificate required:${FILE}:SSL alert number 116\n`,
    'SSL: tlsv13 alert certificate required (SSL alert number 116)',
  ],
  [
    `write EPROTO 00F8123456789ABC:error:0A000438:SSL routines:ssl3_read_bytes:tlsv1 alert internal error:${FILE}:SSL alert number 80\n`,
    'write EPROTO SSL: tlsv1 alert internal error (SSL alert number 80)',
  ],
  ['error:0480006C:PEM routines::no start line', 'PEM: no start line'],
  [
    `404D0804467F0000:error:0A000086:SSL routines:f:certificate verify failed:C:\\deps\\ssl\\x.c:1890:\n404D0804467F0000:error:0A000100:SSL routines:g:bad end:${FILE}:\n`,
    'SSL: certificate verify failed; SSL: bad end',
  ],
  ['connect ECONNREFUSED 127.0.0.1:1', 'connect ECONNREFUSED 127.0.0.1:1'],
  ['lines\n  of: others\n', 'lines\n  of: others\n'],
])('errorText leaves the words of %j', (message, text) => {
  expect(errorText(new Error(message))).toBe(text)
  for (const error of [tlsError(new Error(message)), SockpoolError.from(new Error(message))])
    expect(error.message).toBe(text)
})

test('errorText says something of an error without a message, and of what is none', () => {
  expect(errorText(Object.assign(new Error(''), { code: 'ETIMEDOUT' }))).toBe('ETIMEDOUT')
  expect(errorText(new RangeError(''))).toBe('RangeError')
  expect(errorText('thrown')).toBe('thrown')
})

test('errorText reads what OpenSSL of this Node says', () => {
  const error = thrown(() => createPrivateKey('-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----'))
  expect(errorText(error)).toMatch(/^[A-Za-z0-9 ]+: [a-z ]+$/)
})
