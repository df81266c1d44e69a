/** The workflow that publishes: with provenance, from pinned actions, and with no more rights than that takes. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { ROOT } from '../../support/service-process.ts'

type Step = { readonly uses?: string; readonly run?: string }
type Job = { readonly steps: readonly Step[]; readonly needs?: string; readonly permissions?: object }

const workflow = parse(readFileSync(join(ROOT, '.github', 'workflows', 'release.yaml'), 'utf8'))
const jobs: Readonly<Record<string, Job>> = workflow.jobs
const steps = Object.values(jobs).flatMap(job => job.steps)

test('a release is published with provenance, behind the checks', () => {
  const { publish } = jobs
  expect(publish?.needs).toBe('check')
  expect(publish?.permissions).toEqual({ contents: 'write', 'id-token': 'write' })
  expect(workflow.permissions).toEqual({ contents: 'read' })
  expect(publish?.steps.map(({ run = '' }) => run).filter(run => run.startsWith('npm publish'))).toEqual([
    'npm publish --provenance --access public',
  ])
})

test('a release runs actions of a stated version, and scripts that are there', () => {
  for (const { uses } of steps) if (uses !== undefined) expect.soft(uses).toMatch(/@v\d+\.\d+\.\d+$/)
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  const called = steps.flatMap(({ run = '' }) => [...run.matchAll(/npm run (?:--silent )?([\w-]+)/g)])
  expect(called.map(([, name = '']) => name).toSorted()).toEqual(['check', 'sbom'])
  for (const [, name = ''] of called) expect(scripts).toHaveProperty(name)
})
