import { expect, test } from 'vitest'
import { LIMITS } from '../../../src/base/limits.ts'
import { createPool, type PoolOptions } from '../../../src/library/create-pool.ts'

const REFUSED: Array<[path: string, options: PoolOptions]> = [
  ['ioWorkers', { ioWorkers: 0 }],
  ['ioWorkers', { ioWorkers: 1.5 }],
  ['ioWorkers', { ioWorkers: LIMITS.workersMax + 1 }],
  ['rings.inboundBytes', { rings: { inboundBytes: 0 } }],
  ['rings.inboundBytes', { rings: { inboundBytes: LIMITS.ringBytesMax + 1 } }],
  ['rings.outboundBytes', { rings: { outboundBytes: Number.NaN } }],
  ['rings.wideBytes', { rings: { wideBytes: -1 } }],
  ['rings.wideBytes', { rings: { inboundBytes: 3_000, wideBytes: 10_000 } }],
]

test.each(REFUSED)('createPool refuses %s in %j', async (path, options) => {
  await expect(createPool(options)).rejects.toMatchObject({
    code: 'INVALID_REQUEST',
    errors: [{ path, message: expect.any(String) }],
  })
})
