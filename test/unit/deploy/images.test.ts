/** The Dockerfile and the compose file, as far as they can be judged where no engine runs them. */
import { existsSync, readFileSync, symlinkSync } from 'node:fs'
import { join, posix } from 'node:path'
import { validate } from 'dockerfile-utils'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { DEFAULTS } from '../../../src/base/defaults.ts'
import { configOf } from '../../support/deployed-config.ts'
import { dockerfile, readImage } from '../../support/dockerfile.ts'
import { ROOT, runCommand } from '../../support/service-process.ts'
import { makeFolder } from '../../support/temporary-folder.ts'

const DEPLOY = join(ROOT, 'deploy')

function file(name: string): string {
  return readFileSync(join(DEPLOY, name), 'utf8')
}

describe('the Dockerfile', () => {
  const image = readImage()

  test('is without a fault', () => {
    expect(validate(dockerfile())).toEqual([])
    const misspelt = dockerfile().replace('\nENTRYPOINT', '\nENTRYPONT')
    expect(validate(misspelt).map(({ message }) => message)).toEqual(['Unknown instruction: ENTRYPONT'])
  })

  test('installs before the sources are there, which the package stands', async () => {
    const folder = await makeFolder({
      'package.json': { text: readFileSync(join(ROOT, 'package.json'), 'utf8') },
    })
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
    const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
    const ended = await runCommand(['sh', '-c', scripts.prepare], { cwd: folder })
    expect(ended).toEqual({ code: 0, stdout: '', stderr: '' })
  })

  test('makes an image that is nobody, and has no shell', () => {
    expect(image.text).toMatch(/^FROM gcr\.io\/distroless\/nodejs24-debian\d+:nonroot$/m)
    expect(image.text).not.toMatch(/^RUN /m)
    expect(image.user).not.toMatch(/\b0\b/)
    expect(image.cmd).toEqual(['serve', '--config', '/etc/sockpool/config.yaml'])
  })

  test('asks its service by the subcommand whether it is well', () => {
    expect(image.healthcheck).toEqual([...image.entrypoint, 'healthcheck'])
  })

  test('sets an address that is reached from without, and leaves tokens asked for', () => {
    const { listen, auth } = configOf('targets: {}\n', image.env)
    expect({ listen, auth }).toEqual({
      listen: { kind: 'tcp', host: '0.0.0.0', port: 7070 },
      auth: { tokens: [] },
    })
  })
})

type Service = {
  readonly image: string
  readonly ports?: readonly string[]
  readonly volumes?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly [key: string]: unknown
}

describe('the compose file', () => {
  const { services }: { services: Readonly<Record<string, Service>> } = parse(file('compose.yaml'))
  const { sockpool } = services
  if (sockpool === undefined) throw new Error('there is no service sockpool')

  test('has the service, what it talks to, and what looks at it', () => {
    expect(Object.keys(services).toSorted()).toEqual(['grafana', 'prometheus', 'redis', 'sockpool'])
  })

  test('publishes nothing to other machines', () => {
    const ports = Object.values(services).flatMap(service => service.ports ?? [])
    expect(ports.length).toBeGreaterThan(0)
    expect(ports.filter(port => !port.startsWith('127.0.0.1:'))).toEqual([])
  })

  test('mounts what is there, so that it may not be written', () => {
    const mounts = Object.values(services).flatMap(service => service.volumes ?? [])
    const own = mounts.map(mount => mount.split(':')).filter(([from = '']) => from.startsWith('.'))
    expect(own.length).toBeGreaterThan(3)
    for (const [from = '', , mode] of own) {
      expect.soft(existsSync(join(DEPLOY, from)), from).toBe(true)
      expect.soft(mode, from).toBe('ro')
    }
  })

  test('runs the service with nothing to write on and no privilege, and lets it drain', () => {
    expect(sockpool).toMatchObject({
      build: { context: '..', dockerfile: 'deploy/docker/Dockerfile' },
      read_only: true,
      cap_drop: ['ALL'],
      security_opt: ['no-new-privileges:true'],
    })
    const [, seconds] = /^(\d+)s$/.exec(String(sockpool['stop_grace_period'])) ?? []
    expect(Number(seconds) * 1_000).toBeGreaterThan(DEFAULTS.drainTimeoutMs + 5_000)
  })

  test('has a config that the service takes, of targets that are services', () => {
    const { targets, http } = configOf(file('compose/sockpool.yaml'))
    expect(Object.values(targets).map(({ hosts }) => hosts.map(({ host }) => host))).toEqual([['redis']])
    expect(http.hosts).toEqual(['sockpool'])
  })

  test('has Prometheus look where the metrics are, and Grafana where Prometheus is', () => {
    const { scrape_configs: jobs } = parse(file('prometheus/prometheus.yaml'))
    const [, port] = sockpool.environment?.['SOCKPOOL_METRICS_LISTEN']?.split(':') ?? []
    expect(jobs[0].static_configs[0].targets).toEqual([`sockpool:${port}`])
    const { datasources } = parse(file('grafana/provisioning/datasources/prometheus.yaml'))
    expect(datasources[0].url).toBe('http://prometheus:9090')
    const { providers } = parse(file('grafana/provisioning/dashboards/sockpool.yaml'))
    expect(services['grafana']?.volumes).toContain(`./grafana:${providers[0].options.path}:ro`)
  })
})

describe('what is deployed', () => {
  test('is of one version', () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
    const chart = parse(file('helm/sockpool/Chart.yaml'))
    expect([chart.version, chart.appVersion]).toEqual([version, version])
    const named = [
      'compose.yaml',
      'kubernetes/service.yaml',
      'kubernetes/fleet.yaml',
      'kubernetes/sidecar.yaml',
      'docker/Dockerfile',
    ].flatMap(name =>
      [...file(posix.normalize(name)).matchAll(/\bsockpool:(\d+\.\d+\.\d+)/g)].map(([, own]) => own),
    )
    expect(new Set(named)).toEqual(new Set([version]))
    expect(readFileSync(join(ROOT, 'CHANGELOG.md'), 'utf8')).toContain(`\n## [${version}]`)
  })
})
