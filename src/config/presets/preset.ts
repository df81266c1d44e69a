/** A preset: what a target needs that speaks a certain protocol, so that its operator need not write it. */
import type { SchemaNode } from '../schema-node.ts'
import type { TargetDialog, TargetStep } from '../target-dialog.ts'

/** Keys of a target; its own win over them. */
export type PresetParts = {
  readonly frame?: 'resp' | 'memcached' | 'smtp' | 'postgres' | 'http1' | 'mllp' | 'modbus'
  readonly onConnect?: TargetDialog
  readonly probe?: TargetDialog
  readonly onRelease?: TargetDialog
}

export type Preset = {
  readonly description: string
  /** The options that it takes; all are optional. */
  readonly options: Readonly<Record<string, SchemaNode>>
  /** Each of these options needs the other: `[given, needed]`. */
  readonly needs?: readonly (readonly [given: string, needed: string])[]
  /** `options` were judged by the above. */
  readonly parts: (options: Readonly<Record<string, unknown>>) => PresetParts
}

/** A step that sends bytes as they are, whatever braces are in them. */
export function sendBytes(...parts: readonly string[]): TargetStep {
  return { send: { base64: Buffer.from(parts.join('')).toString('base64') } }
}
