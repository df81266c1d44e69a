/** How a stream ended, as HTTP tells it, and what an exchange makes of it. */
import { describe, expect, test } from 'vitest'
import { problemOf } from '../support/api.ts'
import { useScriptedService } from '../support/scripted-service.ts'
import { startTlsEnder, type TlsEnderTraits } from '../support/tls-ender.ts'

const scripted = useScriptedService(place => ({
  config: { egress: { allow: ['127.0.0.0/8'] }, targets: { script: { ...place, pool: { max: 50 } } } },
}))

/** A described target that answers and ends so. */
async function enderTarget(traits: TlsEnderTraits) {
  const { host, port, trust } = await startTlsEnder(traits)
  return { host, port, tls: trust }
}

const ended = (headers: Headers) => [headers.get('sockpool-eof'), headers.get('sockpool-end')]

describe('a read', () => {
  test('has no sockpool-end while the stream is open, and fin at the end of plain TCP', async () => {
    const { lease, peer } = await scripted.leased()
    await peer.send('one\n')
    expect(ended((await lease.call('readline')).headers)).toEqual(['false', null])
    peer.end('rest')
    expect(ended((await lease.call('read')).headers)).toEqual(['true', 'fin'])
    const json = await lease.callForJson('read')
    expect(json).toEqual({ data: '', encoding: 'utf8', offset: 8, eof: true, end: 'fin' })
  })

  test('says nothing of the end while bytes before it are unread', async () => {
    const { lease, peer } = await scripted.leased()
    peer.end('abc')
    expect(ended((await lease.call('readexactly?n=2')).headers)).toEqual(['false', null])
    expect(ended((await lease.call('read')).headers)).toEqual(['true', 'fin'])
  })

  test.each([
    ['close_notify', 'TLSv1.2', 'close_notify'],
    ['close_notify', 'TLSv1.3', 'close_notify'],
    ['cut', 'TLSv1.2', 'truncated'],
    ['cut', 'TLSv1.3', 'truncated'],
  ] as const)('of a TLS peer that ended by %s (%s) says %s', async (end, version, told) => {
    const target = await enderTarget({ end, version, reply: 'bye' })
    const lease = await scripted.api.lease(target)
    await lease.call('write', { body: 'x' })
    const answer = await lease.call('read')
    expect([answer.status, answer.text, ...ended(answer.headers)]).toEqual([200, 'bye', 'true', told])
    expect(await lease.callForJson('readline')).toMatchObject({ data: '', eof: true, end: told })
    await lease.release()
  })
})

describe('an exchange to the end', () => {
  const toEnd = (target: unknown, read: unknown = 'eof') =>
    scripted.api.post('/v1/exchange', { json: { target, write: { text: 'x' }, read } })

  test('takes what TLS has closed', async () => {
    const answer = await toEnd(await enderTarget({ end: 'close_notify', reply: 'all' }))
    expect([answer.text, ...ended(answer.headers)]).toEqual(['all', 'true', 'close_notify'])
  })

  test('answers 502 for what was cut, with the bytes that came', async () => {
    const answer = await toEnd(await enderTarget({ end: 'cut', reply: 'half' }))
    expect(problemOf(answer)).toMatchObject({
      status: 502,
      code: 'incomplete_read',
      reason: 'tls_truncated',
      partial: Buffer.from('half').toString('base64'),
      bytesDelivered: 4,
      bytesAccepted: 1,
      retryable: false,
    })
  })

  test('knows no allowTruncated of a caller', async () => {
    const { host, port, tls } = await enderTarget({ end: 'cut', reply: 'half' })
    const answer = await toEnd({ host, port, tls: { ...tls, allowTruncated: true } })
    expect(problemOf(answer)).toMatchObject({ status: 400, code: 'invalid_request' })
  })
})
