/** asyncio's StreamReader over HTTP: what each read takes, what it leaves, and what its failures say. */
import { describe, expect, test } from 'vitest'
import { jsonOf, problemOf } from '../support/api.ts'
import { useScriptedService } from '../support/scripted-service.ts'

const scripted = useScriptedService()

describe('read', () => {
  test('without n reads to EOF; after it every read is empty', async () => {
    const { lease, peer } = await scripted.leased()
    await peer.send('one, ')
    const reading = lease.call('read')
    await peer.send(Buffer.from([0, 255]))
    peer.end(' two')
    const { status, headers, bytes } = await reading
    expect(status).toBe(200)
    expect(headers.get('content-type')).toBe('application/octet-stream')
    expect(headers.get('sockpool-offset')).toBe('0')
    expect(headers.get('sockpool-eof')).toBe('true')
    expect(bytes.toString('latin1')).toBe('one, \0\xff two')
    for (const operation of ['read', 'read?n=5', 'readline', 'read?n=0']) {
      const after = await lease.call(operation)
      expect([after.status, after.text, after.headers.get('sockpool-eof')]).toEqual([200, '', 'true'])
      expect(after.headers.get('sockpool-offset')).toBe('11')
    }
  })

  test('with n takes what is there, up to n, and counts offsets', async () => {
    const { lease, peer } = await scripted.leased()
    expect((await lease.call('read?n=0')).text).toBe('')
    await peer.send('abcdef')
    expect(await lease.callForJson('read?n=4')).toMatchObject({ data: 'abcd', offset: 0, eof: false })
    expect(await lease.callForJson('read?n=100&offset=4')).toMatchObject({ data: 'ef', offset: 4 })
    expect(jsonOf(await lease.look())).toMatchObject({ readOffset: 6, lastOperation: 'read' })
    const beyond = problemOf(await lease.call('read?n=1&offset=7'))
    expect(beyond).toMatchObject({ status: 409, code: 'offset_mismatch', offset: 6 })
  })

  test('to EOF past its limit answers 413 and keeps the bytes', async () => {
    const { lease, peer } = await scripted.leased()
    peer.end('x'.repeat(2_000))
    const overrun = problemOf(await lease.call('read?limit=1000'))
    expect(overrun).toMatchObject({ status: 413, code: 'limit_overrun', bytesDelivered: 0 })
    expect((await lease.call('read')).bytes).toHaveLength(2_000)
  })

  test('carries 8 MiB to the byte', async () => {
    const { lease, peer } = await scripted.leased()
    const sent = Buffer.alloc(8 * 1024 * 1024)
    for (let index = 0; index < sent.length; index += 4)
      sent.writeUInt32LE((index * 2_654_435_761) % 2 ** 32, index)
    const reading = lease.call('read')
    await peer.send(sent)
    peer.end()
    expect((await reading).bytes.equals(sent)).toBe(true)
  })
})

describe('readline', () => {
  test('takes a line with its newline, and at EOF what is left', async () => {
    const { lease, peer } = await scripted.leased()
    peer.end('first\r\n\nlast')
    const lines = ['first\r\n', '\n', 'last', '']
    for (const line of lines) expect((await lease.call('readline')).text).toBe(line)
  })
})

describe('readexactly', () => {
  test('waits for n bytes and leaves the rest', async () => {
    const { lease, peer } = await scripted.leased()
    const reading = lease.call('readexactly?n=5')
    await peer.send('ab')
    await peer.send('cdefg')
    expect((await reading).text).toBe('abcde')
    expect((await lease.call('readexactly?n=0')).text).toBe('')
    expect((await lease.call('readexactly?n=2')).text).toBe('fg')
  })

  test('before EOF answers incomplete_read with the partial bytes', async () => {
    const { lease, peer } = await scripted.leased()
    const partial = Buffer.from([1, 2, 250])
    peer.end(partial)
    const problem = problemOf(await lease.call('readexactly?n=9'))
    expect(problem).toMatchObject({
      status: 502,
      code: 'incomplete_read',
      partial: partial.toString('base64'),
      expected: 9,
      bytesDelivered: partial.length,
      retryable: false,
    })
    expect((await lease.call('read')).text).toBe('')
  })
})

describe('readuntil', () => {
  test('ends at the separator that ends first, of several and in hex', async () => {
    const { lease, peer } = await scripted.leased()
    await peer.send('a;b\r\nc\0d--e')
    const query = 'readuntil?separator=0d0a&separator=00&separator=2d2d&separatorEncoding=hex'
    const taken = [await lease.call(query), await lease.call(query), await lease.call(query)]
    expect(taken.map(({ text }) => text)).toEqual(['a;b\r\n', 'c\0', 'd--'])
    const base64 = `readuntil?separator=${encodeURIComponent('/w==')}&separatorEncoding=base64`
    await peer.send(Buffer.from([255]))
    expect((await lease.call(base64)).bytes).toEqual(Buffer.from([101, 255]))
  })

  test('past its limit answers limit_overrun, whose consumed bytes can be skipped', async () => {
    const { lease, peer } = await scripted.leased()
    await peer.send('abcdefgh\r\nrest\r\n')
    const until = 'readuntil?separator=%0d%0a&limit=4'
    const problem = problemOf(await lease.call(until))
    expect(problem).toMatchObject({ status: 413, code: 'limit_overrun', consumed: 8, bytesDelivered: 0 })
    expect((await lease.call('readexactly?n=8')).text).toBe('abcdefgh')
    expect((await lease.call(until)).text).toBe('\r\n')
    expect((await lease.call(until)).text).toBe('rest\r\n')
  })

  test('before EOF answers incomplete_read without an expected count', async () => {
    const { lease, peer } = await scripted.leased()
    peer.end('no end')
    const problem = problemOf(await lease.call('readuntil?separator=END'))
    const partial = Buffer.from('no end').toString('base64')
    expect(problem).toMatchObject({ code: 'incomplete_read', partial, expected: null })
  })

  test.each(['separator=', `separator=${'x'.repeat(65)}`, 'separator=a&'.repeat(17).slice(0, -1)])(
    'refuses the separators %s',
    async query => {
      const { lease } = await scripted.leased()
      const problem = problemOf(await lease.call(`readuntil?${query}`))
      expect(problem).toMatchObject({ status: 400, code: 'invalid_separator' })
    },
  )
})

describe('a read', () => {
  test('answers as JSON: text where it is UTF-8, else base64, or as the query chooses', async () => {
    const { lease, peer } = await scripted.leased()
    await peer.send(
      Buffer.concat([Buffer.from('grün\n'), Buffer.from([0xc3, 0x28, 10]), Buffer.from('hex\n')]),
    )
    expect(await lease.callForJson('readline')).toEqual({
      data: 'grün\n',
      encoding: 'utf8',
      offset: 0,
      eof: false,
    })
    expect(await lease.callForJson('readline')).toEqual({
      data: Buffer.from([0xc3, 0x28, 10]).toString('base64'),
      encoding: 'base64',
      offset: 6,
      eof: false,
    })
    expect(await lease.callForJson('readline?encoding=hex')).toMatchObject({ data: '6865780a', offset: 9 })
  })

  test('that times out leaves the bytes', async () => {
    const { lease, peer } = await scripted.leased()
    await peer.send('abc')
    const problem = problemOf(await lease.call('readexactly?n=5&timeoutMs=100'))
    expect(problem).toMatchObject({ status: 504, code: 'read_timeout', bytesDelivered: 0, retryable: true })
    await peer.send('de')
    expect(await lease.callForJson('readexactly?n=5')).toMatchObject({ data: 'abcde', offset: 0 })
  })

  test('while another waits answers read_busy, and does not disturb it', async () => {
    const { lease, peer } = await scripted.leased()
    const first = lease.call('readline')
    await lease.begun('readline')
    expect(problemOf(await lease.call('read?n=1'))).toMatchObject({ status: 409, code: 'read_busy' })
    await peer.send('for the first\n')
    expect((await first).text).toBe('for the first\n')
  })

  test('whose client vanished keeps the bytes for the next', async () => {
    const { lease, peer } = await scripted.leased()
    const client = new AbortController()
    const first = lease.call('readline', { signal: client.signal })
    await lease.begun('readline')
    client.abort()
    await expect(first).rejects.toThrow(/abort/i)
    // Until the service has heard of it, the first read still runs, and what comes is the first read's.
    await lease.idle()
    await peer.send('kept\n')
    expect((await lease.call('readline')).text).toBe('kept\n')
  })

  test('after a reset delivers what was buffered, then connection_reset, then lease_gone', async () => {
    const { lease, peer } = await scripted.leased()
    await peer.send('one\ntwo\nrest')
    expect((await lease.call('readline')).text).toBe('one\n')
    peer.reset()
    expect((await lease.call('readline')).text).toBe('two\n')
    const broken = problemOf(await lease.call('readline'))
    expect(broken).toMatchObject({ status: 502, code: 'connection_reset' })
    expect((await lease.call('readexactly?n=4')).text).toBe('rest')
    const gone = problemOf(await lease.call('readline'))
    expect(['connection_reset', 'lease_gone']).toContain(gone.code)
    expect(problemOf(await lease.look())).toMatchObject({ status: 410, code: 'lease_gone', reason: 'reset' })
  })

  test.each([
    ['read?n=-2', 'n'],
    ['read?n=', 'n'],
    ['read?n=1e3', 'n'],
    ['readexactly', 'n'],
    ['readline?timeoutMs=0', 'timeoutMs'],
    ['readline?nonsense=1', 'nonsense'],
    ['readline?encoding=latin1', 'encoding'],
    ['readuntil?separator=0&separatorEncoding=hex', 'separator'],
  ])('%s is refused with the field that is wrong', async (operation, path) => {
    const { lease } = await scripted.leased()
    const problem = problemOf(await lease.call(operation))
    expect(problem).toMatchObject({ status: 400, code: 'invalid_request', errors: [{ path }] })
  })
})
