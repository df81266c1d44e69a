/** The architecture as a test: the layers, what is absent from them, and the names that nothing stands behind. */
import { readdir, readFile } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ERROR_CODES } from '../src/base/errors.ts'
import {
  brokenRules,
  type Files,
  FUNCTION_LINES_MAX,
  LINES_MAX,
  ROOMS,
  ROWS,
} from './support/import-rules.ts'

const ROOT = join(import.meta.dirname, '..')

async function sourceFiles(): Promise<Files> {
  const files: [string, string][] = []
  for (const folder of ['src', 'workers'])
    for (const entry of await readdir(join(ROOT, folder), { recursive: true })) {
      if (!/\.tsx?$/.test(entry)) continue
      const file = join(folder, entry)
      files.push([file.split(sep).join('/'), await readFile(join(ROOT, file), 'utf8')])
    }
  return Object.fromEntries(files)
}

describe('the sources', () => {
  // All of them are parsed, which takes its time beside other tests.
  test('keep the rules of the architecture', { timeout: 60_000 }, async () => {
    const files = await sourceFiles()
    expect(Object.keys(files).length).toBeGreaterThan(100)
    expect(Object.keys(files)).toEqual(
      expect.arrayContaining(['src/cli.ts', 'src/dashboard/frame/app.tsx', 'workers/io/connection.ts']),
    )
    expect(brokenRules(files)).toEqual([])
  })
})

/** The layers as docs/architecture.md draws them: a line a row, the rooms of a folder in brackets. */
function pictureOf(rows: typeof ROWS, rooms: typeof ROOMS): string {
  const unit = (name: string): string => {
    const inner = rooms[name]?.map(row => row.join(' · ')).join(' > ')
    return inner === undefined ? name : `${name} [${inner}]`
  }
  return rows.map(row => row.map(unit).join(' ')).join('\n')
}

describe('docs/architecture.md', () => {
  test('draws the layers and rooms that the rules hold', async () => {
    const text = await readFile(join(ROOT, 'docs', 'architecture.md'), 'utf8')
    const [, drawn = ''] = /## Layers and rooms.*?```\n(.*?)```/s.exec(text) ?? []
    expect(drawn.trim().replace(/ +/g, ' ')).toBe(pictureOf(ROWS, ROOMS))
  })

  test('names the error codes that nothing answers yet, and no other', async () => {
    const text = await readFile(join(ROOT, 'docs', 'architecture.md'), 'utf8')
    const [, listed = ''] = /Error codes that nothing answers: (.*?)\.\n/s.exec(text) ?? []
    const files = Object.entries(await sourceFiles()).filter(([file]) => file !== 'src/base/errors.ts')
    // The one with a class of its own is answered by that class.
    const isAnswered = (code: string): boolean =>
      code === 'LIMIT_OVERRUN' || files.some(([, source]) => source.includes(`'${code}'`))
    const silent = Object.keys(ERROR_CODES).filter(code => !isAnswered(code))
    expect([...listed.matchAll(/`([A-Z_]+)`/g)].map(([, code]) => code)).toEqual(silent)
  })
})

describe('a made-up source', () => {
  const base = { 'src/base/errors.ts': 'export const a = 1' }

  /** A file that imports another, which is there too. */
  const importing = (from: string, specifier: string, to: string): Files => ({
    [to]: 'export {}',
    [from]: `import { a } from '${specifier}'`,
  })

  test('that imports downwards and its own folder passes', () => {
    const files = {
      ...base,
      'src/pool/pool.ts': "import { a } from '../base/errors.ts'\nimport { b } from './lease.ts'",
      'src/pool/lease.ts':
        "import type { Socket } from '../base/errors.ts'\n// Atomics, process.env: in words only",
      'src/config/env.ts': 'export const own = process.env',
      'src/channel/words.ts': 'Atomics.load(words, 0)',
      'src/http/app.ts': "import fastify from 'fastify'\nimport swagger from '@fastify/swagger'",
      'src/parse/task-pool.ts': "import { Piscina } from 'piscina'",
      'src/threads/io-thread.ts': "import { Worker } from 'node:worker_threads'",
      'src/threads/protocol.ts': 'export {}',
      'workers/io/dialler.ts': "import { connect } from 'node:net'\nimport '../../src/threads/protocol.ts'",
      'workers/io-worker.ts': "import './io/dialler.ts'\nimport '../src/base/errors.ts'",
    }
    expect(brokenRules(files)).toEqual([])
  })

  test.each([
    ['src/base/wait.ts', '../config/load.ts', 'src/config/load.ts', 'it lies above'],
    ['src/threads/io.ts', '../egress/rule.ts', 'src/egress/rule.ts', 'it lies above'],
    ['src/pool/pool.ts', '../http/app.ts', 'src/http/app.ts', 'it lies above'],
    ['src/library/create-pool.ts', '../service.ts', 'src/service.ts', 'it lies above'],
    ['src/pool/target/slots.ts', '../lease/lease.ts', 'src/pool/lease/lease.ts', 'it lies above'],
    ['src/pool/lease/lease.ts', '../pool.ts', 'src/pool/pool.ts', 'it lies above'],
    ['src/pool/extra/new.ts', '../pool.ts', 'src/pool/pool.ts', 'extra stands on no row'],
    ['src/command/serve.ts', '../cli.ts', 'src/cli.ts', 'it lies above'],
    ['src/pool/pool.ts', '../parse/parsers.ts', 'src/parse/parsers.ts', 'they are neighbours on one row'],
    [
      'src/pool/lease/a.ts',
      '../../parse/parsers.ts',
      'src/parse/parsers.ts',
      'they are neighbours on one row',
    ],
    [
      'src/http/door/a.ts',
      '../leases/lease-table.ts',
      'src/http/leases/lease-table.ts',
      'they are neighbours on one row',
    ],
    ['src/extra/new.ts', '../base/wait.ts', 'src/base/wait.ts', 'extra stands on no row'],
    ['src/pool/pool.ts', '../utils.ts', 'src/utils.ts', 'utils stands on no row'],
    ['src/threads/io.ts', '../../workers/io-worker.ts', 'workers/io-worker.ts', 'nothing imports workers'],
    ['workers/io/a.ts', '../../src/pool/pool.ts', 'src/pool/pool.ts', 'this worker may not know it'],
    [
      'workers/io/a.ts',
      '../../src/threads/io-fleet.ts',
      'src/threads/io-fleet.ts',
      'this worker may not know it',
    ],
    ['workers/io/a.ts', '../parse/b.ts', 'workers/parse/b.ts', 'this worker may not know it'],
    [
      'workers/parse/a.ts',
      '../../src/parse/parsers.ts',
      'src/parse/parsers.ts',
      'this worker may not know it',
    ],
    ['src/dashboard/a.tsx', '../base/wait.ts', 'src/base/wait.ts', 'this worker may not know it'],
    ['src/http/app.ts', '../dashboard/a.tsx', 'src/dashboard/a.tsx', 'dashboard stands on no row'],
    ['workers/parse-worker.ts', '../src/egress/rule.ts', 'src/egress/rule.ts', 'this worker may not know it'],
    [
      'workers/demo-worker.ts',
      '../src/threads/protocol.ts',
      'src/threads/protocol.ts',
      'this worker may not know it',
    ],
  ])('%s that imports %s is caught', (from, specifier, to, fault) => {
    expect(brokenRules(importing(from, specifier, to))).toEqual([`${from} imports ${specifier}: ${fault}`])
  })

  test.each([
    ['src/base/wait.ts', "import type { A } from '../pool/pool.ts'"],
    ['src/base/wait.ts', "export { a } from '../pool/pool.ts'"],
    ['src/base/wait.ts', "const a = await import('../pool/pool.ts')"],
    ['src/base/wait.ts', "type A = import('../pool/pool.ts').A"],
    ['src/base/wait.ts', "import '../pool/pool.ts'"],
  ])('%s is caught in whatever way it imports: %s', (file, text) => {
    const files = { 'src/pool/pool.ts': 'export {}', [file]: text }
    expect(brokenRules(files)).toEqual([`${file} imports ../pool/pool.ts: it lies above`])
  })

  test.each([
    ['src/http/app.ts', 'node:net'],
    ['src/threads/io.ts', 'tls'],
    ['src/service.ts', 'fastify'],
    ['src/http/app.ts', 'preact/hooks'],
    ['src/service.ts', 'fastify-plugin'],
    ['src/command/serve.ts', '@fastify/swagger'],
    ['src/threads/io.ts', 'piscina'],
    ['src/parse/task-pool.ts', 'node:worker_threads'],
    ['src/pool/pool.ts', 'worker_threads'],
  ])('%s that imports %s is caught', (file, module) => {
    const files = { [file]: `import type { A } from '${module}'` }
    expect(brokenRules(files)).toEqual([`${file} imports ${module}: it belongs elsewhere`])
  })

  test.each([
    ['src/streams/reader.ts', 'Atomics.load(words, 0)', 'Atomics'],
    ['workers/io/a.ts', 'const { load } = Atomics', 'Atomics'],
    ['src/pool/pool.ts', 'if (process.env.DEBUG) log()', 'process.env'],
    ['src/pool/pool.ts', "read(process['env'])", 'process.env'],
    ['src/command/serve.ts', 'const { env } = process', 'process.env'],
    ['src/command/serve.ts', 'const { env: own } = process', 'process.env'],
  ])('%s with %s is caught', (file, text, name) => {
    expect(brokenRules({ [file]: text })).toEqual([`${file} touches ${name}`])
  })

  test('that goes in a circle is caught', () => {
    const files = {
      'src/pool/a.ts': "import './b.ts'",
      'src/pool/b.ts': "import type { C } from './c.ts'",
      'src/pool/c.ts': "import './b.ts'",
    }
    expect(brokenRules(files)).toEqual(['cycle: src/pool/b.ts > src/pool/c.ts > src/pool/b.ts'])
  })

  test('that is too long, or imports nothing that is there, is caught', () => {
    expect(brokenRules({ 'src/base/a.ts': '\n'.repeat(LINES_MAX) })).toEqual([])
    expect(brokenRules({ 'src/base/a.ts': '\n'.repeat(LINES_MAX + 1) })).toEqual([
      `src/base/a.ts has ${LINES_MAX + 1} lines of ${LINES_MAX}`,
    ])
    expect(brokenRules({ 'src/base/a.ts': "import './gone.ts'" })).toEqual([
      'src/base/a.ts imports ./gone.ts: there is no such file',
    ])
  })

  test('with a function that is too long is caught', () => {
    const of = (lines: number): string =>
      `export function long(): void {\n${'  run()\n'.repeat(lines - 2)}}\n`
    expect(brokenRules({ 'src/base/a.ts': of(FUNCTION_LINES_MAX) })).toEqual([])
    expect(brokenRules({ 'src/base/a.ts': of(FUNCTION_LINES_MAX + 1) })).toEqual([
      `src/base/a.ts: long has ${FUNCTION_LINES_MAX + 1} lines of ${FUNCTION_LINES_MAX}`,
    ])
  })

  test('with a type that another file exports too is caught', () => {
    const files = {
      'src/pool/a.ts': 'export type A = 1\ntype B = 1',
      'src/pool/b.ts': 'export class A {}\ntype B = 2',
    }
    expect(brokenRules(files)).toEqual(['A is declared in src/pool/a.ts and src/pool/b.ts'])
  })
})
