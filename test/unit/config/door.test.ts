/** The keys of the configuration that say who may call, and how much. */

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { run } from '../../../src/command/command.ts'
import { ConfigError } from '../../../src/config/config-error.ts'
import { loadConfig } from '../../../src/config/load.ts'
import { captureStreams } from '../../support/captured-streams.ts'
import { makeFolder } from '../../support/temporary-folder.ts'

const SHA256 = 'a'.repeat(64)

async function load(config: object) {
  const folder = await makeFolder()
  const file = join(folder, 'sockpool.yaml')
  await writeFile(file, JSON.stringify(config))
  return loadConfig({ file, environment: {} })
}

async function faultsOf(config: object): Promise<readonly string[]> {
  try {
    await load(config)
    return []
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.errors.map(({ path, message }) => `${path}: ${message}`)
  }
}

const tokens = (limits: unknown) => ({ auth: { tokens: [{ name: 'ops', sha256: SHA256, limits }] } })

describe('auth.tokens[].limits', () => {
  test('are absent unless they are said', async () => {
    const config = await load({ auth: { tokens: [{ name: 'ops', sha256: SHA256 }] } })
    expect(config.auth?.tokens).toEqual([{ name: 'ops', sha256: SHA256, targets: ['*'], admin: false }])
  })

  test('are kept as they are said', async () => {
    const limits = { requestsPerSecond: 5, burst: 20, leases: 3, waiters: 2, connections: 4, targets: 1 }
    expect((await load(tokens(limits))).auth?.tokens[0]?.limits).toEqual(limits)
    expect((await load(tokens({ leases: 1 }))).auth?.tokens[0]?.limits).toEqual({ leases: 1 })
  })

  test.each([
    [{ requestsPerSecond: 0 }, 'requestsPerSecond: must be a whole number from 1 to 1000000, not 0'],
    [{ requestsPerSecond: 1.5 }, 'requestsPerSecond: must be a whole number from 1 to 1000000, not 1.5'],
    [{ leases: '3' }, 'leases: must be a whole number from 1 to 65536, not "3"'],
    [{ waiters: 0 }, 'waiters: must be a whole number from 1 to 1000000, not 0'],
    [{ connections: 65_537 }, 'connections: must be a whole number from 1 to 65536, not 65537'],
    [{ targets: null, leases: -1 }, 'leases: must be a whole number from 1 to 65536, not -1'],
    [{ burst: 5 }, 'requestsPerSecond: is required beside burst'],
    [{ lease: 5 }, 'lease: is not a known key; did you mean "leases"?'],
    [{ requestPerSecond: 5 }, 'requestPerSecond: is not a known key; did you mean "requestsPerSecond"?'],
  ])('refuse %j', async (limits, fault) => {
    expect(await faultsOf(tokens(limits))).toEqual([`auth.tokens.0.limits.${fault}`])
  })
})

describe('http.tls', () => {
  test('is refused beside a unix socket', async () => {
    const pem = '-----BEGIN X-----'
    const folder = await makeFolder({ 'pair.pem': { text: pem } })
    const file = join(folder, 'sockpool.yaml')
    await writeFile(
      file,
      JSON.stringify({ listen: 'unix:/tmp/x/s', http: { tls: { cert: 'pair.pem', key: 'pair.pem' } } }),
    )
    expect(() => loadConfig({ file, environment: {} })).toThrow(
      /http\.tls: cannot stand beside a unix socket/,
    )
  })
})

describe('config validate', () => {
  test('judges the egress rules, and says of each what is wrong with it', async () => {
    const folder = await makeFolder()
    const file = join(folder, 'sockpool.yaml')
    const allow = ['10.0.0.0/8:6379', 'a.example:0', '10.0.0.1/8', '*.', 'a b', '127.1', '[a]:1', '*:443-1']
    await writeFile(file, JSON.stringify({ egress: { allow } }))
    const streams = captureStreams('')
    expect(await run(['config', 'validate', file], '1.2.3', streams)).toBe(2)
    const lines = streams.text('stderr').trimEnd().split('\n')
    expect(lines.map(line => line.slice(file.length + 2).split(': ')[0])).toEqual(
      [1, 2, 3, 4, 5, 6, 7].map(index => `egress.allow.${index}`),
    )
    for (const [index, line] of lines.entries()) expect(line).toContain(JSON.stringify(allow[index + 1]))
  })
})
