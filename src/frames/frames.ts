/** All frames by their specification. */

import { DEFAULTS } from '../base/defaults.ts'
import { crlfFrame, delimiterFrame, lineFrame, mllpFrame } from './delimited.ts'
import { fixedFrame } from './fixed.ts'
import type { Frame } from './frame.ts'
import type { BuiltInSpec, FrameName, FrameSpec } from './frame-spec.ts'
import { http1Frame } from './http1.ts'
import { dnsFrame, iso8583Frame, lengthFieldFrame, modbusFrame } from './length-field.ts'
import { memcachedFrame } from './memcached.ts'
import { loadModuleFrame } from './module.ts'
import { postgresFrame } from './postgres.ts'
import { respFrame } from './resp.ts'
import { smtpFrame } from './smtp.ts'

/** The frames of protocols, for messages of at most so many bytes. */
const NAMED: Readonly<Record<FrameName, (max: number) => Frame>> = {
  line: lineFrame,
  crlf: crlfFrame,
  resp: respFrame,
  memcached: memcachedFrame,
  http1: http1Frame,
  smtp: smtpFrame,
  postgres: postgresFrame,
  mllp: mllpFrame,
  modbus: modbusFrame,
  dns: dnsFrame,
  iso8583: iso8583Frame,
}

/** The frame of a specification. Errors: INVALID_REQUEST where a module is no frame's. */
export async function loadFrame(spec: FrameSpec): Promise<Frame> {
  return typeof spec === 'object' && 'module' in spec ? loadModuleFrame(spec.module) : builtInFrame(spec)
}

/** The frame of a specification by which requests and their answers can be counted; null for any other, and for a module. */
export function balancedFrame(spec: FrameSpec | null | undefined): Frame | null {
  if (!spec || (typeof spec === 'object' && 'module' in spec)) return null
  const frame = builtInFrame(spec)
  return frame.balances ? frame : null
}

/** The frame of a specification that names no module. */
export function builtInFrame(spec: BuiltInSpec): Frame {
  if (typeof spec === 'string') return NAMED[spec](DEFAULTS.frameBytesMax)
  if ('lengthField' in spec) return lengthFieldFrame(spec.lengthField)
  if ('fixed' in spec) return fixedFrame(spec.fixed)
  const { delimiter, max } = spec
  const marks = delimiter instanceof Uint8Array ? { start: new Uint8Array(), end: delimiter } : delimiter
  return delimiterFrame(marks, max)
}
