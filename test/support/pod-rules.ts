/** What a pod with the service in it must say beyond its schema: that it runs as nobody, is watched, and may drain. */
import { DEFAULTS } from '../../src/base/defaults.ts'

type Container = {
  readonly name: string
  readonly restartPolicy?: string
  readonly env?: readonly {
    readonly name: string
    readonly value?: string
    readonly valueFrom?: {
      readonly fieldRef?: { readonly fieldPath: string }
      readonly secretKeyRef?: { readonly key: string }
    }
  }[]
  readonly startupProbe?: object
  readonly readinessProbe?: object
  readonly livenessProbe?: object
  readonly lifecycle?: { readonly preStop?: { readonly sleep?: { readonly seconds: number } } }
  readonly securityContext?: {
    readonly runAsNonRoot?: boolean
    readonly readOnlyRootFilesystem?: boolean
    readonly allowPrivilegeEscalation?: boolean
    readonly capabilities?: { readonly drop?: readonly string[] }
  }
}

export type PodTemplate = {
  readonly spec: {
    readonly terminationGracePeriodSeconds?: number
    readonly securityContext?: {
      readonly runAsNonRoot?: boolean
      readonly seccompProfile?: { readonly type: string }
    }
    readonly initContainers?: readonly Container[]
    readonly containers: readonly Container[]
  }
}

/** Milliseconds that a close may take after the drain. */
const CLOSE_MARGIN_MS = 5_000

/** The container that is the service, beside an app or alone. */
export function serviceOf({ spec }: PodTemplate): Container {
  const own = [...(spec.initContainers ?? []), ...spec.containers].find(({ name }) => name === 'sockpool')
  if (own === undefined) throw new Error('the pod has no container sockpool')
  return own
}

/** What a pod says of itself, by the fields that its variables take it from, and what is no word of a secret's usual form. */
const POD_FACTS: Readonly<Record<string, string>> = {
  'metadata.name': 'pod-7',
  'status.podIP': '10.1.2.3',
  'engine-url': 'redis://:word@sockpool-engine:6379',
}

/** The variables of the service as they are in a pod; those of other secrets are left out. */
export function environmentOf(pod: PodTemplate): Readonly<Record<string, string>> {
  const values: Record<string, string> = {}
  for (const { name, value, valueFrom } of serviceOf(pod).env ?? []) {
    const from = valueFrom?.fieldRef?.fieldPath ?? valueFrom?.secretKeyRef?.key ?? ''
    const said = value ?? POD_FACTS[from]
    // A variable may name those that stand before it.
    if (said !== undefined)
      values[name] = said.replace(/\$\((\w+)\)/g, (whole, other) => values[other] ?? whole)
  }
  return values
}

/** What is missing. */
export function podFaults(pod: PodTemplate): readonly string[] {
  const { spec } = pod
  const service = serviceOf(pod)
  const { securityContext: own = {} } = service
  const isSidecar = spec.initContainers?.includes(service) === true
  const rules: Readonly<Record<string, boolean>> = {
    'it must not be root': (own.runAsNonRoot ?? spec.securityContext?.runAsNonRoot) === true,
    'its root must be read-only': own.readOnlyRootFilesystem === true,
    'it must gain no privileges': own.allowPrivilegeEscalation === false,
    'it must have no capabilities': own.capabilities?.drop?.includes('ALL') === true,
    'its system calls must be filtered': spec.securityContext?.seccompProfile?.type === 'RuntimeDefault',
    'its start must be watched': service.startupProbe !== undefined,
    'its readiness must be watched': service.readinessProbe !== undefined,
    'its life must be watched': service.livenessProbe !== undefined,
    'a sidecar must be one': !isSidecar || service.restartPolicy === 'Always',
    // What it would hold back is the app's: its preStop runs before the app has ended.
    'a sidecar must not be stopped first': !isSidecar || service.lifecycle === undefined,
  }
  return Object.entries(rules).flatMap(([rule, holds]) => (holds ? [] : [rule]))
}

/** Milliseconds of the pod's end that are left when the service has drained and closed, with the drain's default. */
export function drainRoomMs({ spec }: PodTemplate): number {
  const all = [...(spec.initContainers ?? []), ...spec.containers]
  const sleeps = all.map(({ lifecycle }) => lifecycle?.preStop?.sleep?.seconds ?? 0)
  const graceMs = (spec.terminationGracePeriodSeconds ?? 30) * 1_000
  return graceMs - Math.max(...sleeps) * 1_000 - DEFAULTS.drainTimeoutMs - CLOSE_MARGIN_MS
}
