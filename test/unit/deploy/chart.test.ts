/** The chart: its schema takes what the service takes, and its templates make sound objects of it. */
import { Ajv } from 'ajv'
import { RE2JS } from 're2js'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { chartFile, chartTemplates, chartValues, renderChart, type Values } from '../../support/chart.ts'
import { configOf } from '../../support/deployed-config.ts'
import { faultsOf, type KubernetesObject, objectsOf } from '../../support/kubernetes-objects.ts'
import { blocksOf } from '../../support/page-blocks.ts'
import { pagePaths, readPage } from '../../support/pages.ts'
import { patternsOf } from '../../support/plain-schema.ts'
import {
  drainRoomMs,
  environmentOf,
  type PodTemplate,
  podFaults,
  serviceOf,
} from '../../support/pod-rules.ts'

const SCHEMA = JSON.parse(chartFile('values.schema.json'))
const check = new Ajv({ strict: false, validateFormats: false }).compile(SCHEMA)

/** What the schema finds wrong, by path. */
function faultsIn(values: Values): readonly string[] {
  check(values)
  return (check.errors ?? []).map(({ instancePath }) => instancePath)
}

describe('the schema of the values', () => {
  test("takes the chart's own", () => {
    expect(faultsIn(chartValues())).toEqual([])
  })

  test('takes every config that the pages show', () => {
    const blocks = pagePaths().flatMap(path =>
      blocksOf(readPage(path)).filter(({ language }) => language === 'yaml'),
    )
    expect(blocks.length).toBeGreaterThan(5)
    for (const { text } of blocks) {
      // Where it listens is the image's to say.
      const { listen, ...config } = parse(text)
      expect.soft(faultsIn({ config }), text).toEqual([])
    }
  })

  test('takes the values that the page shows', () => {
    const blocks = blocksOf(readPage('docs/deployment.md')).filter(({ language }) => language === 'yml')
    expect(blocks).toHaveLength(1)
    for (const { text } of blocks) expect(faultsIn(parse(text))).toEqual([])
  })

  test.for<[title: string, config: object, path: string]>([
    ['a key that is misspelt', { target: {} }, ''],
    ['a key that is misspelt within a target', { targets: { a: { hots: 'b' } } }, '/targets/a'],
    ['a number beyond its bounds', { targets: { a: { host: 'b', port: 70_000 } } }, '/targets/a/port'],
    ['a word that is none of a list', { http: { accessLog: 'some' } }, '/http/accessLog'],
    ['a name that is none', { targets: { 'a b': { host: 'b', port: 1 } } }, '/targets'],
    ['a token without its hash', { auth: { tokens: [{ name: 'ops' }] } }, '/auth/tokens/0'],
    [
      'two actions in a step',
      { targets: { a: { probe: [{ send: 'a', expect: 'b' }] } } },
      '/targets/a/probe/0',
    ],
    ['a secret that is short', { fleet: { url: 'redis://e', secret: 'short' } }, '/fleet/secret'],
    ['a fleet without its engine', { fleet: { caps: { a: 1 } } }, '/fleet'],
    ['an address that the image has', { listen: '0.0.0.0:1' }, ''],
  ])('refuses %s', ([, config, path]) => {
    expect(faultsIn({ config })).toContain(`/config${path}`)
  })

  test.for<[title: string, config: object]>([
    ['a number', { targets: { a: { host: 'b', port: 'env:PORT' } } }],
    ['a hash', { auth: { tokens: [{ name: 'ops', sha256: 'env:OPS' }] } }],
    ['a word of a list', { http: { accessLog: 'env:LOG' } }],
    ['a list', { egress: { allow: 'env:ALLOW' } }],
    ['a mapping', { targets: { a: { host: 'b', port: 1, pool: 'env:POOL' } } }],
    ['a long text', { fleet: { url: 'env:ENGINE_URL', secret: 'env:SECRET' } }],
  ])('takes a variable in place of %s', ([, config]) => {
    expect(faultsIn({ config })).toEqual([])
  })

  test('has patterns alone that Go can read', () => {
    const patterns = patternsOf(SCHEMA)
    expect(patterns.length).toBeGreaterThan(20)
    for (const pattern of new Set(patterns)) expect(() => RE2JS.compile(pattern), pattern).not.toThrow()
  })
})

/** Values that turn everything on. */
const FULL = {
  replicas: 3,
  image: { repository: 'registry.internal/sockpool', tag: '9.9.9' },
  imagePullSecrets: [{ name: 'registry' }],
  config: {
    http: { hosts: ['pools.internal'], tls: { cert: '/tls/tls.crt', key: '/tls/tls.key' } },
    auth: { tokens: [{ name: 'ops', sha256: 'env:OPS_SHA256', admin: true }] },
    targets: { cache: { host: 'redis', port: 6379, probe: [{ send: 'PING\r\n' }, { expect: '+PONG\r\n' }] } },
  },
  env: [{ name: 'OPS_SHA256', valueFrom: { secretKeyRef: { name: 'ops', key: 'sha256' } } }],
  envFrom: [{ secretRef: { name: 'more' } }],
  service: { annotations: { 'example.com/a': 'b: "c"' } },
  extraVolumes: [{ name: 'tls', secret: { secretName: 'tls' } }],
  extraVolumeMounts: [{ name: 'tls', mountPath: '/tls', readOnly: true }],
  podAnnotations: { a: '1' },
  podLabels: { team: 'data' },
  nodeSelector: { disk: 'fast' },
  tolerations: [{ key: 'a', operator: 'Exists', effect: 'NoSchedule' }],
  affinity: { podAntiAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [] } },
  topologySpreadConstraints: [
    {
      maxSkew: 1,
      topologyKey: 'zone',
      whenUnsatisfiable: 'ScheduleAnyway',
      labelSelector: { matchLabels: { a: 'b' } },
    },
  ],
  priorityClassName: 'high',
}

type Deployment = KubernetesObject & { readonly spec: { readonly template: PodTemplate } }

function deploymentOf(objects: readonly KubernetesObject[]): Deployment {
  const found = objects.find(({ kind }) => kind === 'Deployment')
  if (found === undefined) throw new Error('the chart made no Deployment')
  return found as Deployment
}

function configIn(objects: readonly KubernetesObject[]): string {
  const found = objects.find(({ kind }) => kind === 'ConfigMap')
  return (found as unknown as { data: Readonly<Record<string, string>> }).data['config.yaml'] ?? ''
}

async function objectsFor(
  values: Values,
  skip: (note: string) => never,
): Promise<readonly KubernetesObject[]> {
  const rendered = Object.entries(await renderChart(values, skip))
  expect(rendered.filter(([, text]) => text.includes('<no value>'))).toEqual([])
  return rendered.filter(([name]) => name.endsWith('.yaml')).flatMap(([, text]) => objectsOf(text))
}

describe('the templates', () => {
  test('read values alone that the schema knows', () => {
    const paths = Object.values(chartTemplates()).flatMap(text =>
      [...text.matchAll(/\.Values\.([\w.]+)/g)].map(([, path = '']) => path.split('.')),
    )
    expect(paths.length).toBeGreaterThan(20)
    for (const path of paths) {
      const found = path.reduce((node, key) => node?.properties?.[key], SCHEMA)
      expect.soft(found, path.join('.')).toBeDefined()
    }
  })

  test('make sound objects of the defaults and of every value', { timeout: 120_000 }, async ({ skip }) => {
    expect(faultsIn(FULL)).toEqual([])
    const [plain, full] = [await objectsFor({}, skip), await objectsFor(FULL, skip)]
    expect(await faultsOf([...plain, ...full])).toEqual([])
    for (const objects of [plain, full]) {
      const kinds = ['ConfigMap', 'Deployment', 'PodDisruptionBudget', 'Service']
      expect(objects.map(({ kind }) => kind).toSorted()).toEqual(kinds)
      expect(podFaults(deploymentOf(objects).spec.template)).toEqual([])
    }
    expect(drainRoomMs(deploymentOf(plain).spec.template)).toBeGreaterThanOrEqual(0)
    expect(configOf(configIn(plain)).targets).toEqual({})
    // What the ConfigMap holds is what the values say.
    expect(parse(configIn(full))).toEqual(FULL.config)
    const service = serviceOf(deploymentOf(full).spec.template)
    expect(service).toMatchObject({
      image: 'registry.internal/sockpool:9.9.9',
      readinessProbe: { httpGet: { path: '/readyz', scheme: 'HTTPS' } },
    })
    const hosts = service.env?.find(({ name }) => name === 'SOCKPOOL_HTTP_HOSTS')?.value
    expect(hosts?.split(',')).toEqual([
      'pools-sockpool',
      'pools-sockpool.prod',
      'pools-sockpool.prod.svc',
      'pools-sockpool.prod.svc.cluster.local',
      'pools.internal',
    ])
  })

  test('make of each pod an instance of a fleet, where there is one', { timeout: 120_000 }, async ({
    skip,
  }) => {
    const config = {
      http: { tls: { cert: '/tls/tls.crt', key: '/tls/tls.key' } },
      fleet: { url: 'env:ENGINE_URL', secret: 'env:FLEET_SECRET', caps: { cache: 192 } },
      targets: { cache: { host: 'redis', port: 6379 } },
    }
    for (const [scheme, own] of [
      ['https', config],
      ['http', { ...config, http: {} }],
    ] as const) {
      expect(faultsIn({ config: own })).toEqual([])
      const objects = await objectsFor({ config: own }, skip)
      expect(await faultsOf(objects)).toEqual([])
      const environment = environmentOf(deploymentOf(objects).spec.template)
      expect(environment).toMatchObject({
        SOCKPOOL_FLEET_NAME: 'pod-7',
        SOCKPOOL_FLEET_ADVERTISE: `${scheme}://10.1.2.3:7070`,
      })
      const instances = objects.find(({ metadata }) => metadata.name === 'pools-sockpool-instances')
      expect(instances).toMatchObject({
        kind: 'Service',
        spec: { clusterIP: 'None', publishNotReadyAddresses: true },
      })
      if (scheme === 'http') {
        const word = { ...environment, ENGINE_URL: 'redis://engine:6379' }
        expect(configOf(configIn(objects), word).fleet).toMatchObject({ name: 'pod-7' })
      }
    }
    const alone = environmentOf(deploymentOf(await objectsFor({}, skip)).spec.template)
    expect(Object.keys(alone)).not.toContain('SOCKPOOL_FLEET_NAME')
  })

  test('have no wait at the end of a pod where there is to be none', { timeout: 120_000 }, async ({
    skip,
  }) => {
    const service = serviceOf(deploymentOf(await objectsFor({ preStopSeconds: 0 }, skip)).spec.template)
    expect(service.lifecycle).toBeUndefined()
    const usual = serviceOf(deploymentOf(await objectsFor({}, skip)).spec.template)
    expect(usual.lifecycle?.preStop?.sleep?.seconds).toBe(5)
  })
})
