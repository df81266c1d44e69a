import { stripVTControlCharacters } from 'node:util'
import { expect, it } from 'vitest'
import { run } from '../../../src/command/command.ts'
import { captureStreams } from '../../support/captured-streams.ts'
import { command, serverAt } from '../../support/own-command.ts'

const instance = (name: string, leases: number) => ({
  name,
  url: `http://${name}.pools.internal:7070`,
  leases,
  connections: leases + 1,
  seenAt: '2026-11-28T23:30:53.338Z',
  startedAt: '2026-11-28T20:00:00.000Z',
  version: '0.2.0',
})

const FLEET = {
  state: 'joined',
  name: 'pool.a',
  instances: [instance('pool.a', 3), instance('pool.b', 12)],
  caps: {
    'cache.eu': { cap: 16, held: 16, byInstance: { 'pool.a': 5, 'pool.b': 11 } },
    ledger: { cap: 200, held: 1, byInstance: { 'pool.b': 1 } },
  },
}

/** A service that answers `/v1/fleet` so. */
function answering(answer: object): Promise<string> {
  return serverAt((request, response) => {
    response.statusCode = request.url === '/v1/fleet' ? 200 : 404
    response.end(JSON.stringify(answer))
  })
}

async function told(answer: object, ...flags: string[]): Promise<string> {
  const { code, stdout, stderr } = await command(['fleet', '--url', await answering(answer), ...flags])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return stdout
}

/** As it is on a terminal of so many columns. */
async function onTerminal(answer: object, columns: number): Promise<string> {
  const streams = captureStreams()
  const stdout = Object.assign(streams.stdout, { isTTY: true, columns, getColorDepth: () => 4 })
  expect(await run(['fleet', '--url', await answering(answer)], '1.2.3', { ...streams, stdout })).toBe(0)
  return streams.text('stdout')
}

it('fleet shows the instances, and each cap with who holds it', async () => {
  expect(await told(FLEET)).toBe(`pool.a: joined

name    url                                leases  connections  seenAt                    startedAt                 version
pool.a  http://pool.a.pools.internal:7070       3            4  2026-11-28T23:30:53.338Z  2026-11-28T20:00:00.000Z  0.2.0
pool.b  http://pool.b.pools.internal:7070      12           13  2026-11-28T23:30:53.338Z  2026-11-28T20:00:00.000Z  0.2.0

target    held  cap  pool.b  pool.a
cache.eu    16   16      11       5
ledger       1  200       1       -
`)
})

it('fleet says in a sentence that a service stands alone', async () => {
  const alone = { state: 'alone', name: null, instances: [], caps: {} }
  expect(await told(alone)).toBe('this service stands alone: its configuration has no fleet\n')
  expect(JSON.parse(await told(alone, '-o', 'json'))).toEqual(alone)
})

it('fleet says that the engine is away, and that no target has a cap', async () => {
  const text = await told({ ...FLEET, state: 'degraded', caps: {} })
  expect(text).toMatch(/^pool\.a: degraded, the engine does not answer; this is what it said last\n\n/)
  expect(text).toMatch(/\n\nno target has a cap\n$/)
})

it('fleet prints the whole answer of the API as JSON', async () => {
  expect(JSON.parse(await told(FLEET, '-o', 'json'))).toEqual(FLEET)
})

it('fleet is as wide as the terminal, cuts no number, and marks what is exhausted', async () => {
  const many = Object.fromEntries(Array.from({ length: 40 }, (_, at) => [`pool-${at}`, 100 + at]))
  const caps = { cache: { cap: 4_780, held: 4_780, byInstance: many } }
  const painted = await onTerminal({ ...FLEET, state: 'degraded', caps }, 72)
  const lines = stripVTControlCharacters(painted).split('\n')
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(72)
  // The greatest holders first; every number that is shown is whole.
  const [titles = '', row = ''] = lines.slice(-3)
  expect(titles).toMatch(/^target +held +cap +pool-39 +pool-38 /)
  expect(row).toMatch(/^cache +4780 +4780 +139 +138 /)
  expect(painted).toContain('\x1b[33m4780')
  expect(painted).toContain('\x1b[33mpool.a: degraded')
})

it('fleet takes nothing that answers there on trust', async () => {
  const hostile = 'a\x1b]0;mine\x07\u202e\r\nb'
  const rows = [{ name: hostile, url: hostile, seenAt: hostile }]
  const byInstance = { [hostile]: 1, constructor: 2, text: 'many' }
  for (const answer of [
    {},
    { state: hostile, name: hostile, instances: rows, caps: { [hostile]: { cap: 1, held: 1, byInstance } } },
    { state: 'joined', name: 'a', instances: 7, caps: { cache: null, other: { byInstance: 3 } } },
  ]) {
    const text = await told(answer)
    expect(text).not.toMatch(/[^\P{C}\n]/u)
    expect(text).not.toContain('many')
  }
})
