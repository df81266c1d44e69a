/** All presets by their names, and how a target names one. */
import { childPath } from '../complete.ts'
import { choice, either, field, isRecord, mapping, optional, type SchemaNode } from '../schema-node.ts'
import { http1, mllp, modbus } from './framed.ts'
import { memcached } from './memcached.ts'
import { nats } from './nats.ts'
import { postgresSsl } from './postgres-ssl.ts'
import type { Preset, PresetParts } from './preset.ts'
import { redis } from './redis.ts'
import { smtp } from './smtp.ts'

export const PRESETS: Readonly<Record<string, Preset>> = {
  redis,
  memcached,
  smtp,
  'postgres-ssl': postgresSsl,
  nats,
  http1,
  mllp,
  modbus,
}

const NAMES = Object.keys(PRESETS)

/** A preset as its judged target has it: a name, or a name with options. */
export type PresetChoice = string | Readonly<Record<string, Readonly<Record<string, unknown>>>>

export function presetSchema(): SchemaNode {
  const expects = `one of ${NAMES.join(', ')}, or one of them with its options, as in {redis: {database: 1}}`
  const options = Object.entries(PRESETS).map(([name, preset]) => [
    name,
    optional(mapping(preset.description, preset.options)),
  ])
  return either(
    'The protocol that is spoken: sets `frame`, `onConnect`, `probe` and `onRelease` where the target does not.',
    expects,
    [
      choice('A protocol by name.', NAMES),
      mapping('A protocol with options.', Object.fromEntries(options), { exactlyOne: NAMES, expects }),
    ],
  )
}

/** The faults of a completed preset that no single field shows. */
export function checkPreset(
  preset: unknown,
  path: string,
  report: (path: string, message: string) => void,
): void {
  for (const [name, { needs = [] }] of Object.entries(PRESETS)) {
    const options = field(preset, name)
    for (const [given, needed] of needs)
      if (field(options, given) !== undefined && field(options, needed) === undefined)
        report(childPath(path, `${name}.${needed}`), `is required beside ${given}`)
  }
}

/** What the preset says for its target; nothing where there is none. */
export function presetParts(preset: PresetChoice | undefined): PresetParts {
  const [name = '', options = {}] =
    typeof preset === 'string' ? [preset] : (Object.entries(preset ?? {})[0] ?? [])
  return Object.hasOwn(PRESETS, name) ? (PRESETS[name]?.parts(options) ?? {}) : {}
}

/** The frame that the preset, which may be faulty, brings. */
export function presetFrame(preset: unknown): PresetParts['frame'] {
  const name = typeof preset === 'string' ? preset : isRecord(preset) ? Object.keys(preset)[0] : undefined
  return name === undefined ? undefined : presetParts(name).frame
}
