/** What an instance says of where others reach it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { ConfigError } from '../../../src/config/config-error.ts'
import { loadConfig } from '../../../src/config/load.ts'

/** The faults of a configuration that advertises this, by their paths. */
function faultsOf(advertise: string): readonly string[] {
  const folder = mkdtempSync(join(tmpdir(), 'sockpool-fleet-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'sockpool.yaml')
  writeFileSync(file, JSON.stringify({ fleet: { url: 'redis://127.0.0.1:6379', name: 'me', advertise } }))
  try {
    loadConfig({ file, environment: {} })
    return []
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.errors.map(({ path }) => path)
  }
}

test.each([
  'http://10.1.2.3:7070',
  'https://pod-7.example',
  'http://Pod-7.Example:7070',
  'http://[::1]:7070',
  'http://pod:80',
  'https://pod:443',
])('fleet.advertise is an origin: %s', advertise => {
  expect(faultsOf(advertise)).toEqual([])
})

test.each([
  'http://h:99999',
  'http://[zz]',
  'http://h\\other',
  'http://h:',
  'http://h:07070',
  'http://10.1:7070',
  'http://h%41:7070',
  'http://h:7070/path',
  'ftp://h',
])('fleet.advertise is no other text, nor one that a URL reads otherwise: %s', advertise => {
  expect(faultsOf(advertise)).toEqual(['fleet.advertise'])
})
