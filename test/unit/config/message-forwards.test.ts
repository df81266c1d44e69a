/** Which targets a forward in message mode may stand before. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Config } from '../../../src/config/config.ts'
import { loadConfig } from '../../../src/config/load.ts'
import { makeFolder } from '../../support/temporary-folder.ts'

async function read(target: object): Promise<Config> {
  const file = join(await makeFolder(), 'sockpool.json')
  const targets = { it: { host: 'a', port: 1, ...target } }
  const forwards = [{ listen: '127.0.0.1:0', target: 'it', mode: 'message' }]
  writeFileSync(file, JSON.stringify({ targets, forwards }))
  return loadConfig({ file, environment: {} })
}

test.each([
  ['no frame', {}],
  ['smtp', { frame: 'smtp' }],
  ['a preset that is not counted', { preset: 'postgres-ssl' }],
  ['a delimiter', { frame: { delimiter: 'x' } }],
  ['a module', { frame: { module: './frame.ts' } }],
])('a target with %s is refused for message mode, at the path of its name', async (_, more) => {
  await expect(read(more)).rejects.toThrow(
    /forwards\.0\.target: must have a frame by which its requests and answers can be counted/,
  )
})

test.each([{ preset: 'redis' }, { frame: 'http1' }, { frame: { fixed: 8 } }, { frame: { lengthField: {} } }])(
  'a target with %j may be served message by message',
  async more => {
    expect((await read(more)).forwards[0]?.mode).toBe('message')
  },
)
