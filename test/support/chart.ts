/** The chart of deploy/helm: its files, and what its templates make of values. It takes Go, whose template engine Helm has. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { requireProgram } from './own-program.ts'
import { ROOT, runCommand } from './service-process.ts'

const FOLDER = join(ROOT, 'deploy', 'helm', 'sockpool')
const RENDERER = join(ROOT, 'test', 'fixtures', 'chart', 'render.go')

/** A program of Go is compiled first. */
const RENDER_TIMEOUT_MS = 60_000

export type Values = Readonly<Record<string, unknown>>

export function chartFile(name: string): string {
  return readFileSync(join(FOLDER, name), 'utf8')
}

export function chartValues(): Values {
  return parse(chartFile('values.yaml'))
}

/** By their names, helpers too. */
export function chartTemplates(): Readonly<Record<string, string>> {
  const names = readdirSync(join(FOLDER, 'templates'))
  return Object.fromEntries(names.map(name => [name, chartFile(join('templates', name))]))
}

/** What each template makes of the values, which are merged over the chart's own as Helm merges them. `skip` where Go is not there. */
export async function renderChart(
  values: Values,
  skip: (note: string) => never,
): Promise<Readonly<Record<string, string>>> {
  const go = await requireProgram('go', 'golang-go', skip)
  const { name, version, appVersion } = parse(chartFile('Chart.yaml'))
  const context = {
    Values: merged(chartValues(), values),
    Chart: { Name: name, Version: version, AppVersion: appVersion },
    Release: { Name: 'pools', Namespace: 'prod', Service: 'Helm' },
  }
  const { code, stdout, stderr } = await runCommand([go, 'run', RENDERER], {
    stdin: JSON.stringify({ templates: chartTemplates(), context }),
    env: { GOFLAGS: '-mod=mod', GO111MODULE: 'off' },
    timeoutMs: RENDER_TIMEOUT_MS,
  })
  if (code !== 0) throw new Error(`the chart cannot be rendered: ${stderr}`)
  return JSON.parse(stdout)
}

function merged(below: Values, above: Values): Values {
  const entries = Object.entries(above).map(([key, value]) => {
    const own = below[key]
    return [key, isMapping(own) && isMapping(value) ? merged(own, value) : value] as const
  })
  return { ...below, ...Object.fromEntries(entries) }
}

function isMapping(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
