/** Bytes into values in the parse workers: of a body, and of what a lease receives. */
import { describe, expect, test } from 'vitest'
import { jsonOf, problemOf } from '../support/api.ts'
import { useScriptedService } from '../support/scripted-service.ts'

const scripted = useScriptedService(place => ({
  config: {
    limits: { bodyBytes: '4MiB' },
    parse: { formats: { pairs: new URL('../fixtures/parse/pairs-format.ts', import.meta.url).href } },
    targets: { script: { ...place, pool: { max: 50 } } },
  },
}))

const parse = (format: string, body: string, headers: Record<string, string> = {}) =>
  scripted.api.post(`/v1/parse/${format}`, { body, headers })

describe('POST /v1/parse', () => {
  test.each([
    ['json', ' {"a":[1,2.5,null,"ü"]} ', [{ a: [1, 2.5, null, 'ü'] }]],
    ['ndjson', '{"a":1}\n[2]\n"3"', [{ a: 1 }, [2], '3']],
    ['lines', 'one\ntwo\r\nthree', ['one', 'two', 'three']],
  ])('gives the values of %s', async (format, body, values) => {
    expect(jsonOf(await parse(format, body))).toEqual({ values })
  })

  test('gives the values of a format that the config names, by its options', async () => {
    expect(jsonOf(await parse('pairs', 'a=1;b=2;'))).toEqual({ values: [{ a: '1' }, { b: '2' }] })
    expect(jsonOf(await parse('pairs?separator=:', 'a:1;'))).toEqual({ values: [{ a: '1' }] })
    expect(problemOf(await parse('pairs?separator=true', 'a:1;'))).toMatchObject({
      status: 400,
      code: 'invalid_request',
    })
    expect(problemOf(await parse('pairs', 'a=1;b;'))).toMatchObject({ status: 422, offset: 4 })
  })

  test('gives a value a line where NDJSON is asked for', async () => {
    const answer = await parse('ndjson', '{"a":1}\n\n[2]\n', { accept: 'application/x-ndjson' })
    expect(answer.headers.get('content-type')).toBe('application/x-ndjson')
    expect(answer.text).toBe('{"a":1}\n[2]\n')
  })

  test('says where bytes are not of the format', async () => {
    const problem = problemOf(await parse('json', '{"a": 1, oops}'))
    expect(problem).toMatchObject({ status: 422, code: 'parse_failed', offset: 9 })
    expect(problemOf(await parse('json', '['.repeat(100)))).toMatchObject({
      status: 422,
      code: 'parse_limit',
    })
    expect(problemOf(await parse('nonsense', ''))).toMatchObject({ status: 404, code: 'format_not_found' })
    expect(problemOf(await parse('json?nonsense=1', '1'))).toMatchObject({
      status: 400,
      code: 'invalid_request',
    })
  })

  test('answers numbers, keys and strings as they were written', async () => {
    const text =
      '[1e400,12345678901234567890,-0,0.1000000000000000055511151231257827,{"a":1,"a":2},"\\ud800"]'
    expect((await parse('json', `  ${text}\n`)).text).toBe(`{"values":[${text}]}`)
    const lines = await parse('json', `${text}[ 1,\n 2 ]`, { accept: 'application/x-ndjson' })
    expect(lines.text).toBe(`${text}\n[1,2]\n`)
    expect((await parse('ndjson', `${text}\n\n1.0`)).text).toBe(`{"values":[${text},1.0]}`)
    expect((await parse('lines', '1e400\n')).text).toBe('{"values":["1e400"]}')
  })

  test('answers nothing of an empty body in either form', async () => {
    expect((await parse('json', '')).text).toBe('{"values":[]}')
    expect((await parse('lines', '', { accept: 'application/x-ndjson' })).text).toBe('')
  })

  test('takes all that limits.bodyBytes allows', async () => {
    const bodyBytesMax = 4_194_304
    const most = `[${'{},'.repeat(Math.floor((bodyBytesMax - 4) / 3))}{}]`
    const answer = await parse('json', most)
    expect(answer.status).toBe(200)
    expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8')
    expect(answer.text).toBe(`{"values":[${most}]}`)
  })

  test('answers others while a large document is parsed', async () => {
    const large = JSON.stringify(Array.from({ length: 60_000 }, (_, index) => ({ index })))
    const parsing = parse('json', large)
    const live = await scripted.api.get('/livez')
    expect(live.status).toBe(200)
    const { values } = jsonOf<{ values: { index: number }[][] }>(await parsing)
    expect(values[0]?.at(-1)).toEqual({ index: 59_999 })
  })
})

describe('POST /v1/leases/{id}/parse', () => {
  test('reads one message and leaves the bytes after it', async () => {
    const { lease, peer } = await scripted.leased()
    const parsing = lease.call('parse', { json: { format: 'json' } })
    await lease.begun('parse')
    await peer.send('{"a":')
    await peer.send('1}[2]raw\n{"b":2}\n')
    expect(jsonOf(await parsing)).toEqual({ value: { a: 1 }, offset: 0 })
    expect(jsonOf(await lease.call('parse', { json: { format: 'json' } }))).toEqual({ value: [2], offset: 7 })
    expect(await lease.callForJson('readline')).toMatchObject({ data: 'raw\n', offset: 10 })
    expect(jsonOf(await lease.call('parse', { json: { format: 'ndjson' } }))).toEqual({
      value: { b: 2 },
      offset: 14,
    })
  })

  test('is a read: one at a time, bounded in time, and the bytes stay', async () => {
    const { lease, peer } = await scripted.leased()
    await peer.send('{"half":')
    const parsing = lease.call('parse', { json: { format: 'json', timeoutMs: 300 } })
    await lease.begun('parse')
    expect(problemOf(await lease.call('readline')).code).toBe('read_busy')
    expect(problemOf(await parsing)).toMatchObject({ status: 504, code: 'read_timeout', bytesDelivered: 0 })
    await peer.send('true}')
    expect(jsonOf(await lease.call('parse', { json: { format: 'json' } }))).toEqual({
      value: { half: true },
      offset: 0,
    })
  })

  test('leaves lease and bytes to the next call where its caller hangs up', async () => {
    const { lease, peer } = await scripted.leased()
    const isBusy = async (): Promise<boolean> =>
      problemOf(await lease.call('readline?timeoutMs=1')).code === 'read_busy'
    // A thread that has started, so that it has the reader soon after the parse has begun.
    await peer.send('0\n')
    expect(jsonOf(await lease.call('parse', { json: { format: 'json' } }))).toEqual({ value: 0, offset: 0 })
    expect(await lease.callForJson('readline')).toMatchObject({ data: '\n' })
    await peer.send('{"half":')
    const hangUp = new AbortController()
    const parsing = lease.call('parse', { json: { format: 'json' }, signal: hangUp.signal })
    await lease.begun('parse')
    for (let turn = 0; turn < 20; turn++) await scripted.api.get('/livez')
    hangUp.abort()
    await expect(parsing).rejects.toMatchObject({ name: 'AbortError' })
    while (await isBusy());
    await peer.send('true}')
    expect(jsonOf(await lease.call('parse', { json: { format: 'json' } }))).toEqual({
      value: { half: true },
      offset: 2,
    })
  })

  test('answers the value as it was written, and takes one as large as a body', async () => {
    const { lease, peer } = await scripted.leased()
    await peer.send('[1e400, -0]')
    expect((await lease.call('parse', { json: { format: 'json' } })).text).toBe(
      '{"value":[1e400,-0],"offset":0}',
    )
    const large = `["${'x'.repeat(2_000_000)}"]`
    const sending = peer.send(large)
    expect((await lease.call('parse', { json: { format: 'json' } })).text).toBe(
      `{"value":${large},"offset":11}`,
    )
    await sending
    const parsing = lease.call('parse', { json: { format: 'lines' } })
    const tooMuch = peer.send('x'.repeat(4_194_305))
    expect(problemOf(await parsing)).toMatchObject({ status: 422, code: 'parse_limit', offset: 4_194_304 })
    await lease.release('?discard=true')
    await tooMuch.catch(() => 'the connection was closed')
  })

  test('fails on bytes of another format with their place', async () => {
    const { lease, peer } = await scripted.leased()
    await peer.send('{"a": oops}\n')
    const problem = problemOf(await lease.call('parse', { json: { format: 'ndjson' } }))
    expect(problem).toMatchObject({ status: 422, code: 'parse_failed' })
  })
})
