/**
 * The schema of the chart's values, deploy/helm/sockpool/values.schema.json: `config` is made from the schema that `serve`
 * itself reads its file by, the rest is the chart's own. Helm checks values by it before anything is installed.
 */
import { configSchema } from '../../src/config/schema.ts'
import { describedValue, type PlainSchema } from './plain-schema.ts'

/** A file's content. */
export function valuesSchema(): string {
  const schema = {
    // What every Helm 3 reads.
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Values of the chart sockpool',
    ...closed(values()),
  }
  return `${JSON.stringify(schema, null, 2)}\n`
}

function values(): Readonly<Record<string, PlainSchema>> {
  return {
    global: { description: 'Set by a chart that this one is a part of; not read.' },
    image: closed({
      repository: text('What deploy/docker builds, in a registry of yours.', { minLength: 1 }),
      tag: text("Default: the chart's appVersion."),
      pullPolicy: { enum: ['Always', 'IfNotPresent', 'Never'] },
    }),
    imagePullSecrets: listOfMappings('Secrets of the registry.'),
    replicas: whole('Instances, each with connections and leases of its own.', 0, 1_000),
    config: config(),
    env: listOfMappings('Variables of the service, as in a container of Kubernetes.'),
    envFrom: listOfMappings('Where all of its variables come from, as in a container.'),
    service: closed({
      type: { enum: ['ClusterIP', 'LoadBalancer', 'NodePort'] },
      port: whole('Where callers reach it.', 1, 65_535),
      sessionAffinity: { enum: ['ClientIP', 'None'] },
      annotations: anyMapping('Of the Service.'),
    }),
    metrics: closed({
      enabled: { type: 'boolean', description: 'Whether there is a listener for metrics alone.' },
      port: whole('Its port.', 1, 65_535),
    }),
    preStopSeconds: whole('How long a pod that is to end serves on as before.', 0, 300),
    terminationGracePeriodSeconds: whole('From the first word of its end to SIGKILL.', 1, 86_400),
    podDisruptionBudget: closed({
      enabled: { type: 'boolean' },
      maxUnavailable: { type: ['integer', 'string'], description: 'A number, or a share such as 25%.' },
    }),
    resources: anyMapping('Of the container.'),
    ...placement(),
  }
}

function placement(): Readonly<Record<string, PlainSchema>> {
  return {
    extraVolumes: listOfMappings('Certificates and modules that the config names, as volumes of a pod.'),
    extraVolumeMounts: listOfMappings('Where they are mounted.'),
    podAnnotations: anyMapping('Of each pod.'),
    podLabels: anyMapping('Of each pod.'),
    nodeSelector: anyMapping('As in a pod.'),
    tolerations: listOfMappings('As in a pod.'),
    affinity: anyMapping('As in a pod.'),
    topologySpreadConstraints: listOfMappings('As in a pod.'),
    priorityClassName: text('As in a pod.'),
  }
}

/** All that a config file may say but where it listens: the image says so, and its health check goes by that. */
function config(): PlainSchema {
  // What differs between two machines has no default that a chart could name.
  const described = describedValue(configSchema(2), configSchema(64))
  const { listen, fleet, ...properties } = described.properties ?? {}
  if (listen === undefined) throw new Error('the config has no key "listen" to leave out')
  // What is of one pod alone, its name and its address, the chart says by the environment.
  return { ...described, properties: { ...properties, fleet: { ...fleet, required: ['url'] } } }
}

function closed(properties: Readonly<Record<string, PlainSchema>>): PlainSchema {
  return { type: 'object', additionalProperties: false, properties }
}

function text(description: string, bounds: PlainSchema = {}): PlainSchema {
  return { type: 'string', description, ...bounds }
}

function whole(description: string, minimum: number, maximum: number): PlainSchema {
  return { type: 'integer', description, minimum, maximum }
}

function anyMapping(description: string): PlainSchema {
  return { type: 'object', description }
}

function listOfMappings(description: string): PlainSchema {
  return { type: 'array', description, items: { type: 'object' } }
}
