import { Type } from 'typebox'
import { describe, expect, test } from 'vitest'
import { LIMITS } from '../../../src/base/limits.ts'
import { fieldErrors } from '../../../src/http/routes/field-errors.ts'
import { CLOSED } from '../../../src/http/routes/schemas.ts'
import { harness } from './fakes.ts'

const Lines = Type.Union([
  Type.Array(Type.String()),
  Type.Object({ data: Type.Array(Type.String()), limit: Type.Optional(Type.Integer()) }, CLOSED),
])

type Errors = readonly { readonly path: string; readonly message: string }[]

describe('fieldErrors', () => {
  test('names the fields of the branch that was meant', () => {
    expect(fieldErrors(Lines, { data: ['a', 5], limit: '1' }, 'body')).toEqual([
      { path: 'data.1', message: 'must be string' },
      { path: 'limit', message: 'must be integer' },
    ])
    expect(fieldErrors(Lines, 5, 'body')).toEqual([
      { path: 'body', message: 'must be array or must be object' },
    ])
    expect(fieldErrors(Lines, {}, 'body')).toEqual([{ path: 'data', message: 'is required' }])
    expect(fieldErrors(Lines, ['a'], 'body')).toEqual([])
  })

  test('finds one wrong item behind a million that are right', () => {
    const list: unknown[] = Array.from({ length: 1_000_000 }, () => '')
    list.push(null)
    expect(fieldErrors(Lines, list, 'body')).toEqual([{ path: '1000000', message: 'must be string' }])
  })

  test('ends at the first few of a million wrong items', () => {
    const wrong = Array.from({ length: 1_000_000 }, () => ({}))
    const startedAt = performance.now()
    const errors = fieldErrors(Lines, wrong, 'body')
    expect(performance.now() - startedAt).toBeLessThan(100)
    expect(errors.length).toBeLessThanOrEqual(LIMITS.fieldErrorsMax + 1)
    expect(errors[0]).toEqual({ path: '0', message: 'must be string' })
  })
})

describe('an invalid_request', () => {
  test.each([1, 7, 8, 9, 20, 300])(
    'names unknown fields in the body and in the query, of %i',
    async count => {
      const { send } = harness()
      const names = Array.from({ length: count }, (_, n) => `x${n}`)
      const body = Object.fromEntries(names.map(name => [name, 1]))
      const answers = [
        await send({ method: 'POST', url: '/v1/leases', payload: { target: 'cache', ...body } }),
        await send({
          method: 'POST',
          url: `/v1/leases/none/readline?${names.map(name => `${name}=1`).join('&')}`,
        }),
        await send({
          method: 'POST',
          url: '/v1/leases',
          payload: { target: { host: 'a', port: 1, ...body } },
        }),
      ]
      for (const answer of answers) {
        const { status, code, errors, detail } = answer.json<Record<string, unknown> & { errors: Errors }>()
        expect([status, code]).toEqual([400, 'invalid_request'])
        expect(errors.length).toBe(Math.min(count, LIMITS.fieldErrorsMax))
        for (const [at, { path, message }] of errors.entries())
          expect([path.replace('target.', ''), message]).toEqual([`x${at}`, 'is not a known field'])
        expect(String(detail).includes('left out')).toBe(count > LIMITS.fieldErrorsMax)
      }
    },
  )

  test.each(['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'valueOf'])(
    'names %s as an unknown field of a query',
    async name => {
      const { send } = harness()
      for (const query of [
        `${name}=1`,
        `${name}=1&${name}=2`,
        `${encodeURIComponent(name)}`,
        `n=1&${name}`,
      ]) {
        const answer = await send({ method: 'POST', url: `/v1/leases/none/read?${query}` })
        expect(answer.json()).toMatchObject({
          status: 400,
          code: 'invalid_request',
          errors: [{ path: name }],
        })
      }
    },
  )

  test('does not echo a long name or a long list', async () => {
    const { send } = harness()
    const payload = { target: 'cache', ['x'.repeat(50_000)]: 1 }
    const answer = await send({ method: 'POST', url: '/v1/leases', payload })
    expect(answer.statusCode).toBe(400)
    expect(answer.body.length).toBeLessThan(1_000)
    const { errors } = answer.json<{ errors: Errors }>()
    expect(errors[0]?.path).toBe(`${'x'.repeat(LIMITS.fieldNameCharsMax)}…`)
  })
})
