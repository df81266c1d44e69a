import { existsSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { workerFile } from '../../../src/threads/worker-file.ts'

describe('workerFile', () => {
  it('names the source beside source', () => {
    const url = workerFile('demo-worker')
    expect(url.href).toMatch(/\/workers\/demo-worker\.ts$/)
    expect(existsSync(url)).toBe(true)
  })

  it('names a sibling in the bundle', () => {
    expect(workerFile('io-worker', 'file:///x/dist/chunk-ABC.js').href).toBe('file:///x/dist/io-worker.js')
  })
})
