/** The manifests of deploy/kubernetes: sound by Kubernetes' schemas, with configs that the service takes. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { configOf } from '../../support/deployed-config.ts'
import { faultsOf, type KubernetesObject, objectsOf } from '../../support/kubernetes-objects.ts'
import { drainRoomMs, environmentOf, type PodTemplate, podFaults } from '../../support/pod-rules.ts'
import { ROOT } from '../../support/service-process.ts'

const FOLDER = join(ROOT, 'deploy', 'kubernetes')
const FILES = readdirSync(FOLDER).map(name => ({
  name,
  objects: objectsOf(readFileSync(join(FOLDER, name), 'utf8')),
}))

function podsOf(objects: readonly KubernetesObject[]): readonly PodTemplate[] {
  return objects
    .filter(({ kind }) => kind === 'Deployment')
    .map(({ spec }) => (spec as { template: PodTemplate }).template)
}

describe('the manifests', () => {
  test('are those that the pages name', () => {
    expect(FILES.map(({ name }) => name).toSorted()).toEqual([
      'autoscaler.yaml',
      'fleet.yaml',
      'service.yaml',
      'sidecar.yaml',
    ])
  })

  test('have what their schemas know, and nothing else', { timeout: 60_000 }, async () => {
    expect(await faultsOf(FILES.flatMap(({ objects }) => objects))).toEqual([])
  })

  test.for(FILES.flatMap(({ name, objects }) => podsOf(objects).map(pod => ({ name, pod }))))(
    'of $name run the service as nobody, and let it drain',
    ({ pod }) => {
      expect(podFaults(pod)).toEqual([])
      expect(drainRoomMs(pod)).toBeGreaterThanOrEqual(0)
    },
  )

  test.for(
    FILES.flatMap(({ name, objects }) => objects.map(object => ({ name, object, objects }))).filter(
      ({ object }) => object.kind === 'ConfigMap',
    ),
  )('of $name hold a config that the service takes', ({ object, objects }) => {
    const { data } = object as unknown as { data: Readonly<Record<string, string>> }
    const [pod] = podsOf(objects)
    const config = configOf(data['config.yaml'] ?? '', pod ? environmentOf(pod) : {})
    expect(Object.keys(config.targets)).toEqual(['cache'])
  })
})

describe('the manifests of a fleet', () => {
  const { objects = [] } = FILES.find(({ name }) => name === 'fleet.yaml') ?? {}
  const named = (kind: string, name: string) =>
    objects.find(object => object.kind === kind && object.metadata.name === name) as unknown as {
      readonly spec: Readonly<Record<string, unknown>>
    }
  const [pod] = podsOf(objects)

  test('give each pod the name and the address that are its own', () => {
    const config = objects.find(({ kind }) => kind === 'ConfigMap') as unknown as {
      readonly data: Readonly<Record<string, string>>
    }
    if (pod === undefined) throw new Error('there is no Deployment')
    const { fleet, targets } = configOf(config.data['config.yaml'] ?? '', environmentOf(pod))
    expect(fleet).toMatchObject({ name: 'pod-7', advertise: 'http://10.1.2.3:7070', caps: { cache: 192 } })
    // What all of them may have has to be within reach of those that there are at the least.
    const autoscaler = named('HorizontalPodAutoscaler', 'sockpool-fleet').spec
    expect(autoscaler['minReplicas']).toBe(fleet?.expected)
    const max = targets['cache']?.pool.max ?? 0
    expect(max * Number(autoscaler['minReplicas'])).toBeGreaterThanOrEqual(192)
  })

  test('have one engine, which the fleet alone may reach', () => {
    const { spec: engine } = named('StatefulSet', 'sockpool-engine')
    expect(engine['replicas']).toBe(1)
    const { spec: policy } = named('NetworkPolicy', 'sockpool-engine')
    expect(policy['podSelector']).toEqual(engine['selector'])
    expect(policy['ingress']).toMatchObject([
      { from: [{ podSelector: { matchLabels: { 'app.kubernetes.io/name': 'sockpool-fleet' } } }] },
    ])
  })

  test('name the instances too that are not ready, as they may hold leases', () => {
    expect(named('Service', 'sockpool-fleet-instances').spec).toMatchObject({
      clusterIP: 'None',
      publishNotReadyAddresses: true,
    })
    expect(named('Service', 'sockpool-fleet').spec['sessionAffinity']).toBeUndefined()
  })
})

describe('the check of manifests', () => {
  const [service] = FILES.filter(({ name }) => name === 'service.yaml')
  const deployment = service?.objects.find(({ kind }) => kind === 'Deployment')
  if (deployment === undefined) throw new Error('service.yaml has no Deployment')

  /** The Deployment with one text of it replaced by another. */
  const changed = (from: string, to: string): KubernetesObject => {
    const text = JSON.stringify(deployment)
    expect(text).toContain(from)
    return JSON.parse(text.replace(from, to))
  }

  test('finds values of another type, and keys that are misspelt', { timeout: 60_000 }, async () => {
    const faults = await faultsOf([
      changed('"replicas":2', '"replicas":"two"'),
      changed('"readinessProbe"', '"readynessProbe"'),
    ])
    expect(faults).toEqual([
      expect.stringContaining('replicas must be integer'),
      expect.stringContaining("Type 'string' is not assignable to type 'number'"),
      expect.stringContaining('\'"readynessProbe"\' does not exist'),
    ])
  })

  test.for([
    ['a pod that may write to its root', '"readOnlyRootFilesystem":true', '"readOnlyRootFilesystem":false'],
    ['one that is root', '"runAsNonRoot":true', '"runAsNonRoot":false'],
    ['one without a readiness probe', '"readinessProbe"', '"notProbe"'],
  ] as const)('finds %s', ([, from, to]) => {
    const [pod] = podsOf([changed(from, to)])
    expect(pod && podFaults(pod)).toHaveLength(1)
  })

  test('finds a grace period that is shorter than the drain', () => {
    const [pod] = podsOf([
      changed('"terminationGracePeriodSeconds":45', '"terminationGracePeriodSeconds":30'),
    ])
    expect(pod && drainRoomMs(pod)).toBeLessThan(0)
  })
})
