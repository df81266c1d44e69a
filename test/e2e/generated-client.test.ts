/** A client that a public generator makes of `/openapi.json`: it compiles, and takes one lease through its life. */
import { mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { afterFile } from '../support/after-file.ts'
import { type ServiceFixture, startServiceFixture } from '../support/service-fixture.ts'
import { ROOT, runCommand } from '../support/service-process.ts'
import { makeFolder } from '../support/temporary-folder.ts'

/** As somebody writes it who has nothing but the generated client. */
const PROGRAM = `
import { client } from './client/client.gen.js'
import { acquireLease, getLease, read, readLine, releaseLease, write } from './client/sdk.gen.js'
import type { Bytes, Lease, ReadLineErrors, Released } from './client/types.gen.js'

const [, , baseUrl = '', auth = ''] = process.argv
client.setConfig({ baseUrl, auth })

const { data: lease, response } = await acquireLease({ body: { target: 'demo', ttlMs: 60_000 }, throwOnError: true })
const path = { id: lease.id }
const sent = await write({ path, body: 'first\\nsecond\\n', query: { drain: true }, throwOnError: true })
const line = await readLine({ path, headers: { Accept: 'application/json' }, throwOnError: true })
const bytes: Bytes = line.data
const rest = await read({ path, query: { n: 100 }, parseAs: 'text', throwOnError: true })
const state: Lease['state'] = (await getLease({ path, throwOnError: true })).data.state
const released: Released = (await releaseLease({ path, throwOnError: true })).data
const after = await readLine({ path })
const gone: ReadLineErrors[410]['code'] | undefined =
  after.error !== undefined && after.error.status === 410 ? (after.error as ReadLineErrors[410]).code : undefined
// @ts-expect-error a lease has no such field
const wrong = lease.nonsense
console.log(
  JSON.stringify({
    location: response.headers.get('location') === '/v1/leases/' + lease.id,
    accepted: sent.data.accepted,
    line: bytes,
    vary: line.response.headers.get('vary'),
    rest: rest.data,
    restOffset: rest.response.headers.get('sockpool-offset'),
    state,
    released,
    gone,
    wrong: wrong === undefined,
  }),
)
`

let service: ServiceFixture
let folder = ''

async function inFolder(args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runCommand([process.execPath, ...args], { cwd: folder })
  expect({ code, said: stdout + stderr }).toMatchObject({ code: 0 })
  return stdout
}

beforeAll(async () => {
  service = await startServiceFixture({ demo: true, finally: afterFile })
})

/** With the document, the program, and the types of Node. */
async function prepareFolder(): Promise<void> {
  folder = await makeFolder({
    'openapi.json': { text: (await service.api.get('/openapi.json')).text },
    'package.json': { text: '{"type":"module"}' },
    'program.ts': { text: PROGRAM },
  })
  await mkdir(join(folder, 'node_modules'))
  await symlink(join(ROOT, 'node_modules', '@types'), join(folder, 'node_modules', '@types'))
}

describe('a client generated from /openapi.json', () => {
  test('compiles, and leases, writes, reads and releases', { timeout: 120_000 }, async () => {
    await prepareFolder()
    const generator = join(ROOT, 'node_modules', '@hey-api', 'openapi-ts', 'bin', 'run.js')
    const generate = ['-i', 'openapi.json', '-o', 'client', '-c', '@hey-api/client-fetch', '--no-log-file']
    await inFolder([generator, ...generate])
    const compile = [
      '--strict',
      '--target',
      'es2024',
      '--module',
      'nodenext',
      '--lib',
      'es2024,dom,dom.iterable',
    ]
    const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc')
    await inFolder([tsc, ...compile, '--types', 'node', '--outDir', 'out', '--rootDir', '.', 'program.ts'])
    const printed = await inFolder(['out/program.js', service.url, service.token ?? ''])
    expect(JSON.parse(printed)).toEqual({
      location: true,
      accepted: 13,
      line: { data: 'first\n', encoding: 'utf8', offset: 0, eof: false },
      vary: 'accept',
      rest: 'second\n',
      restOffset: '6',
      state: 'leased',
      released: { outcome: 'reused', reason: 'clean' },
      gone: 'lease_gone',
      wrong: true,
    })
  })
})
