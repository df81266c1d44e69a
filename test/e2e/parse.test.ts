/** Bytes into values in the parse workers: of a body, and of what a lease receives. */
import { describe, expect, test } from 'vitest'
import { jsonOf, problemOf } from '../support/api.ts'
import { useScriptedService } from '../support/scripted-service.ts'

const scripted = useScriptedService()

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

  test('fails on bytes of another format with their place', async () => {
    const { lease, peer } = await scripted.leased()
    await peer.send('{"a": oops}\n')
    const problem = problemOf(await lease.call('parse', { json: { format: 'ndjson' } }))
    expect(problem).toMatchObject({ status: 422, code: 'parse_failed' })
  })
})
