/** CSV, XML, SMTP and HTTP/1.1 over the routes that parse: options as a query has them, values as JSON. */
import { describe, expect, test } from 'vitest'
import { CSV_CASES, CSV_HEADER_CASES } from '../fixtures/parse/csv-acid.ts'
import { jsonOf, problemOf } from '../support/api.ts'
import { useScriptedService } from '../support/scripted-service.ts'

const scripted = useScriptedService(place => ({
  config: { targets: { script: { ...place, pool: { max: 50 } } } },
}))

const parse = (call: string, body: string, headers: Record<string, string> = {}) =>
  scripted.api.post(`/v1/parse/${call}`, { body, headers })

/** Options as a query: lists by repeated names. */
function queryOf(options: Readonly<Record<string, unknown>> = {}): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(options))
    for (const one of Array.isArray(value) ? value : [value]) query.append(name, String(one))
  return query.toString()
}

describe('POST /v1/parse/csv', () => {
  test.each([...CSV_CASES, ...CSV_HEADER_CASES])('answers $name', async ({ input, options, values }) => {
    const answer = await parse(`csv?${queryOf(options)}`, input)
    expect(jsonOf(answer)).toEqual({ values })
  })

  test('answers objects by the header, a line each where NDJSON is asked for', async () => {
    const body = 'id,name\n1,"Ada, L."\n2,\n'
    const answer = await parse('csv?header=true', body, { accept: 'application/x-ndjson' })
    expect(answer.text).toBe('{"id":"1","name":"Ada, L."}\n{"id":"2","name":""}\n')
    const named = await parse('csv?columns=a,b&delimiter=%3B', '1;2\n')
    expect(named.text).toBe('{"values":[{"a":"1","b":"2"}]}')
  })

  test('says where bytes are no CSV, and which option is none', async () => {
    expect(problemOf(await parse('csv', 'a\nb"c\n'))).toMatchObject({ code: 'parse_failed', offset: 3 })
    expect(problemOf(await parse('csv?header=true', 'a,b\n1\n'))).toMatchObject({
      status: 422,
      code: 'parse_failed',
      offset: 4,
    })
    expect(problemOf(await parse('csv?quote=%2C', ''))).toMatchObject({
      status: 400,
      code: 'invalid_request',
      errors: [{ path: 'options.quote' }],
    })
  })
})

test('POST /v1/parse answers XML, SMTP and HTTP/1.1', async () => {
  expect(jsonOf(await parse('xml?arrays=item', '<o id="7"><item>a</item></o>'))).toEqual({
    values: [{ o: { '@id': '7', item: ['a'] } }],
  })
  expect(problemOf(await parse('xml', '<!DOCTYPE a><a/>'))).toMatchObject({ code: 'parse_failed', offset: 2 })
  expect(jsonOf(await parse('smtp', '221 bye\r\n'))).toEqual({
    values: [{ code: 221, lines: ['bye'], text: 'bye' }],
  })
  const response = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi'
  expect(jsonOf(await parse('http1?encoding=bytes', response))).toMatchObject({
    values: [{ status: 200, headers: { 'content-length': ['2'] }, body: 'aGk=' }],
  })
})

describe('POST /v1/leases/{id}/parse', () => {
  test('reads records of CSV by named columns, and no header', async () => {
    const { lease, peer } = await scripted.leased()
    await peer.send('1,"a\nb"\n2,c\n')
    const asked = { format: 'csv', options: { columns: ['id', 'name'] } }
    expect(jsonOf(await lease.call('parse', { json: asked }))).toEqual({
      value: { id: '1', name: 'a\nb' },
      offset: 0,
    })
    expect(jsonOf(await lease.call('parse', { json: asked }))).toEqual({
      value: { id: '2', name: 'c' },
      offset: 8,
    })
    const headed = await lease.call('parse', { json: { format: 'csv', options: { header: true } } })
    expect(problemOf(headed)).toMatchObject({
      status: 400,
      code: 'invalid_request',
      errors: [{ path: 'options.header' }],
    })
  })

  test('reads a response of HTTP/1.1', async () => {
    const { lease, peer } = await scripted.leased()
    await peer.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n')
    const answer = await lease.call('parse', { json: { format: 'http1' } })
    expect(jsonOf(answer)).toMatchObject({ value: { status: 200, body: 'hi' }, offset: 0 })
  })
})
