import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { loadConfig } from '../../../src/config/load.ts'
import { unservedKeys } from '../../../src/config/unserved.ts'
import { makeFolder } from '../../support/temporary-folder.ts'

async function pathsOf(config: object): Promise<string[]> {
  const folder = await makeFolder()
  const file = join(folder, 'sockpool.json')
  await writeFile(file, JSON.stringify(config))
  return unservedKeys(loadConfig({ file, environment: {} })).map(({ path }) => path)
}

const target = { host: '127.0.0.1', port: 7 }

test('unservedKeys are none in a configuration of what is served', async () => {
  const onRelease = [{ send: 'RESET\r\n' }, { expect: '+RESET\r\n' }]
  const probe = [{ send: 'PING\r\n' }, { expect: '+PONG\r\n' }]
  const served = {
    ...target,
    onRelease,
    probe,
    frame: 'resp',
    reuse: 'clean',
    leakDetection: '30s',
    pool: { min: 1 },
  }
  expect(await pathsOf({})).toEqual([])
  expect(await pathsOf({ http: { threads: 1 }, parse: { workers: 2 }, targets: { served } })).toEqual([])
})

test('unservedKeys name each key that is accepted and has no effect', async () => {
  const config = {
    parse: { isolation: 'process' },
    http: { threads: 2 },
    targets: { a: target },
    forwards: [{ listen: '127.0.0.1:0', target: 'a' }],
  }
  expect(await pathsOf(config)).toEqual(['parse.isolation'])
})
