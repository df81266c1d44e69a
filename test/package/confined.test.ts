/** The service under the filter that its unit asks for: what systemd would refuse it, it does not need. */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { requireProgram } from '../support/own-program.ts'
import { findPython } from '../support/python.ts'
import { CLI, ROOT, runCommand } from '../support/service-process.ts'
import { attendService } from '../support/spawned-service.ts'
import { makeFolder } from '../support/temporary-folder.ts'
import { filterOf } from '../support/unit-filter.ts'

const UNIT = readFileSync(join(ROOT, 'deploy', 'systemd', 'sockpool.service'), 'utf8')
const RUNNER = join(ROOT, 'test', 'fixtures', 'systemd', 'filtered.py')

type Skip = (note: string) => never

/** What runs a command under the filter of the unit. */
async function underFilter(skip: Skip, unit = UNIT): Promise<readonly string[]> {
  const analyze = await requireProgram('systemd-analyze', 'systemd', skip)
  const { program } = await findPython(9, skip)
  const folder = await makeFolder({ 'filter.json': { text: JSON.stringify(await filterOf(unit, analyze)) } })
  return [program, RUNNER, join(folder, 'filter.json')]
}

describe("the unit's filter of system calls", () => {
  test('is one: it refuses what a service does not need', async ({ skip }) => {
    const runner = await underFilter(skip)
    const tries = `
      import os, socket
      def refused(call):
          try:
              call()
          except OSError as error:
              return error.errno
      print([refused(call) for call in (
          lambda: os.chroot('/'),
          lambda: socket.socket(socket.AF_PACKET),
          lambda: socket.socket(socket.AF_INET).close(),
      )])
    `.replaceAll('\n      ', '\n')
    const [program = ''] = runner
    // EPERM, EAFNOSUPPORT, and nothing.
    expect(await runCommand([...runner, program, '-I', '-c', tries])).toMatchObject({
      stdout: '[1, 97, None]\n',
    })
  })

  test('lets the service serve, dial and parse, in threads and in processes', async ({ skip }) => {
    const runner = await underFilter(skip)
    const [program = '', ...args] = [
      ...runner,
      process.execPath,
      CLI,
      'serve',
      '--listen',
      '127.0.0.1:0',
      '--demo',
    ]
    const { api } = await attendService(spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] }))
    for (const target of ['demo', 'demo-tls']) {
      const json = { target, write: { text: 'hello\n' }, read: 'line' }
      expect((await api.post('/v1/exchange', { json })).text).toBe('hello\n')
    }
    // It looks up this machine's own addresses before it dials what a caller names.
    const refused = await api.post('/v1/leases', { json: { target: { host: '127.0.0.1', port: 1 } } })
    expect(refused.status).toBe(403)
    const body = `{"in":"a thread"}${' '.repeat(2_000)}`
    expect((await api.post('/v1/parse/json', { body })).text).toBe('{"values":[{"in":"a thread"}]}')
    const zipped = await api.post('/v1/parse/json?decompress=gzip', { body: gzipSync('{"in":"a process"}') })
    expect(zipped.text).toBe('{"values":[{"in":"a process"}]}')
  })
})
