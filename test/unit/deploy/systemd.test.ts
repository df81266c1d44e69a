/** The unit of deploy/systemd: systemd finds no fault in it, and says how exposed it leaves the service. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { DEFAULTS } from '../../../src/base/defaults.ts'
import { requireProgram } from '../../support/own-program.ts'
import { readPage } from '../../support/pages.ts'
import { ROOT, runCommand } from '../../support/service-process.ts'
import { makeFolder } from '../../support/temporary-folder.ts'

const FOLDER = join(ROOT, 'deploy', 'systemd')
const NAMES = ['sockpool.service', 'sockpool.socket'] as const

type Skip = (note: string) => never

function unit(name: (typeof NAMES)[number]): string {
  return readFileSync(join(FOLDER, name), 'utf8')
}

/** Runs systemd-analyze on copies of the units, of which one is changed. */
async function analyze(args: readonly string[], skip: Skip, change = (text: string): string => text) {
  const program = await requireProgram('systemd-analyze', 'systemd', skip)
  // Where this machine has Node; the unit says where Debian has it.
  const service = change(unit('sockpool.service').replaceAll('/usr/bin/node', process.execPath))
  const folder = await makeFolder({
    'sockpool.service': { text: service, mode: 0o644 },
    'sockpool.socket': { text: unit('sockpool.socket'), mode: 0o644 },
  })
  const { code, stdout, stderr } = await runCommand([
    program,
    ...args,
    ...NAMES.map(name => join(folder, name)),
  ])
  return { code, stdout, stderr }
}

async function exposure(skip: Skip, change?: (text: string) => string): Promise<number> {
  const { stdout } = await analyze(['security', '--offline=true', '--no-pager'], skip, change)
  return Number(/exposure level for sockpool\.service: ([\d.]+)/.exec(stdout)?.[1])
}

describe('the units', () => {
  const verify = ['verify', '--man=no', '--recursive-errors=no']

  test('are without a fault to systemd', async ({ skip }) => {
    expect(await analyze(verify, skip)).toEqual({ code: 0, stdout: '', stderr: '' })
  })

  test('with a fault are found', async ({ skip }) => {
    const misspelt = (text: string): string => text.replace('PrivateTmp=', 'PrivateTemp=')
    expect((await analyze(verify, skip, misspelt)).stderr).toContain("Unknown key 'PrivateTemp'")
  })

  test('leave the service exposed as docs/deployment.md says', async ({ skip }) => {
    const stated = Number(/exposure level is \*\*([\d.]+)\*\*/.exec(readPage('docs/deployment.md'))?.[1])
    expect(await exposure(skip)).toBe(stated)
    expect(stated).toBeLessThan(2)
    const opened = (text: string): string =>
      text.replace('DynamicUser=yes\n', '').replace('PrivateUsers=yes\n', '')
    expect(await exposure(skip, opened)).toBeGreaterThan(stated)
  })

  test('give the service time to drain and to close', () => {
    const seconds = Number(/^TimeoutStopSec=(\d+)s$/m.exec(unit('sockpool.service'))?.[1])
    expect(seconds * 1_000).toBeGreaterThan(DEFAULTS.drainTimeoutMs + 5_000)
  })

  test('hand over the socket that the service is told to take', () => {
    expect(unit('sockpool.service')).toMatch(/^ExecStart=.* --listen fd:3$/m)
    // One socket, which is then descriptor 3.
    expect(unit('sockpool.socket').match(/^Listen/gm)).toHaveLength(1)
  })
})
