/** Formats of a program's own in parse processes, and what such a process lets them do. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { createPool } from '../../src/library/create-pool.ts'
import type { Pool } from '../../src/pool/pool.ts'
import { makeFolder } from '../support/temporary-folder.ts'

const PAIRS = new URL('../fixtures/parse/pairs-format.ts', import.meta.url)

async function poolWith(formats: Readonly<Record<string, URL | string>>): Promise<Pool> {
  const pool = await createPool({ formats, parseIsolation: 'process' })
  onTestFinished(() => pool.close())
  return pool
}

test('a format of a module answers from a process as from a thread', async () => {
  const pool = await poolWith({ pairs: PAIRS })
  expect(await pool.parse('pairs', Buffer.from('a=1;b=2;'))).toEqual([{ a: '1' }, { b: '2' }])
  await expect(pool.parse('pairs', Buffer.from('a=1;b;'))).rejects.toMatchObject({
    code: 'PARSE_FAILED',
    offset: 4,
    reason: 'TypeError',
  })
  await expect(pool.parse('pairs', Buffer.from('a=1;'), { separator: 5 })).rejects.toMatchObject({
    code: 'INVALID_REQUEST',
  })
})

const NOSY = `
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
const folder = import.meta.dirname
const tried = {
  own: () => readFileSync(join(folder, 'own.txt'), 'utf8'),
  secret: () => readFileSync(join(folder, '..', 'secret.txt'), 'utf8'),
  write: () => writeFileSync(join(folder, 'new.txt'), ''),
  start: () => spawnSync(process.execPath, ['--version']).status,
  thread: () => new Worker('1', { eval: true }).threadId,
  variable: () => process.env.HOME ?? 'none',
  shared: () => new SharedArrayBuffer(1),
}
export const decode = message => {
  try {
    return tried[message.toString()]()
  } catch (error) {
    return error.code
  }
}
`

test('a format of a module may read its own package in a process, and do no more', async () => {
  const folder = await makeFolder({ 'secret.txt': { text: 'secret' } })
  const own = join(folder, 'package')
  await mkdir(own)
  await writeFile(join(own, 'package.json'), '{"type":"module"}')
  await writeFile(join(own, 'own.txt'), 'own')
  await writeFile(join(own, 'nosy.js'), NOSY)
  const pool = await poolWith({ nosy: join(own, 'nosy.js') })
  const attempt = async (what: string): Promise<unknown> => (await pool.parse('nosy', Buffer.from(what)))[0]
  expect(await attempt('own')).toBe('own')
  for (const what of ['secret', 'write', 'start', 'thread'])
    expect({ what, is: await attempt(what) }).toEqual({ what, is: 'ERR_ACCESS_DENIED' })
  expect(await attempt('variable')).toBe('none')
  // A value that does not leave its process is a failure of that parse alone.
  await expect(attempt('shared')).rejects.toMatchObject({ code: 'PARSE_FAILED' })
  expect(await attempt('own')).toBe('own')
})
