import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, test } from 'vitest'
import { createPool } from '../../../src/library/create-pool.ts'
import { chosenWorkerFile, ownWorkerFile } from '../../../src/library/worker-files.ts'

const FILE = join(import.meta.dirname, '..', '..', '..', 'workers', 'io-worker.ts')

describe('chosenWorkerFile', () => {
  test.each([[FILE], [pathToFileURL(FILE)], [pathToFileURL(FILE).href]])('takes %s', given => {
    expect(chosenWorkerFile('ioWorkerFile', given).href).toBe(pathToFileURL(FILE).href)
  })

  test.each([
    [''],
    ['./io-worker.js'],
    ['io-worker.js'],
    ['https://example.com/io-worker.js'],
    ['data:text/javascript,1'],
    ['file://server/share/io-worker.js'],
    [new URL('data:text/javascript,1')],
    [null],
    [7],
    [{ href: 'file:///x' }],
  ])('refuses %s', given => {
    const fault = { path: 'ioWorkerFile', message: 'must be a file: URL or an absolute path' }
    expect(() => chosenWorkerFile('ioWorkerFile', given as string)).toThrow(
      expect.objectContaining({ code: 'INVALID_REQUEST', errors: [fault] }),
    )
  })

  test('refuses a file that is not there', () => {
    expect(() => chosenWorkerFile('ioWorkerFile', '/nowhere/io.js')).toThrow(
      'there is no file /nowhere/io.js',
    )
  })
})

describe('ownWorkerFile', () => {
  test('is the source beside source', () => {
    expect(ownWorkerFile('ioWorkerFile', 'io-worker').href).toBe(pathToFileURL(FILE).href)
  })
})

describe('createPool', () => {
  test.each(['ioWorkerFile', 'parseWorkerFile'])('judges %s before it starts a thread', async option => {
    await expect(createPool({ [option]: '/nowhere/worker.js' })).rejects.toMatchObject({
      code: 'INVALID_REQUEST',
      errors: [{ path: option, message: 'there is no file /nowhere/worker.js' }],
    })
  })

  test('gives parseWorkerFile to its parse workers', async () => {
    const parseWorkerFile = new URL('../../fixtures/parse/other-worker.ts', import.meta.url)
    const pool = await createPool({ parseWorkerFile })
    try {
      // Long enough for a thread.
      expect(await pool.parse('ndjson', Buffer.from(`1\n${' '.repeat(2_000)}`))).toEqual([
        'from another file',
      ])
    } finally {
      await pool.close()
    }
  })
})
