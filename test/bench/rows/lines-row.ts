/** Rows `read-line` and `line-batches`: lines of 100 bytes, one by one beside asyncio, in batches beside `node:readline`. */
import type { Goal } from '../goals.ts'
import { startAsyncio } from '../hosting/asyncio.ts'
import { fieldOf } from '../hosting/hosted-field.ts'
import type { LinesOptions } from '../ours/lines.ts'
import { startFarEnd } from '../peers/far-end.ts'
import type { Field, Row } from '../rounds.ts'

export function linesRow(name: string, how: LinesOptions['how'], goals: readonly Goal[]): Row {
  return {
    name,
    what: `lines of 100 B from one connection by ${how === 'line' ? 'readLine' : 'lineBatches'}`,
    unit: 'lines/s',
    goals,
    setUp: () => setUp(how),
  }
}

async function setUp(how: LinesOptions['how']): Promise<Field> {
  const peer = await startFarEnd()
  const { lines: port } = peer.ports
  const options: LinesOptions = { port, how }
  const ours = { name: 'sockpool', file: 'ours/lines.ts', options }
  if (how === 'batches')
    return fieldOf(peer, [ours, { name: 'readline', file: 'rivals/readline-lines.ts', options: { port } }])
  const asyncio = startAsyncio(port)
  const notes = asyncio === null ? ['python3 is not installed: left out'] : []
  const field = await fieldOf(peer, [ours], notes)
  if (asyncio === null) return field
  return {
    contenders: [...field.contenders, asyncio],
    notes,
    close: async () => {
      await asyncio.close()
      await field.close()
    },
  }
}
