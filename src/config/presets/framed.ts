/** Protocols whose connections begin with nothing, remember nothing, and have no question without an effect. */
import type { Preset } from './preset.ts'

export const http1: Preset = {
  description: 'HTTP/1.1 servers.',
  options: {},
  parts: () => ({ frame: 'http1' }),
}

export const mllp: Preset = {
  description: 'HL7 over MLLP.',
  options: {},
  parts: () => ({ frame: 'mllp' }),
}

export const modbus: Preset = {
  description: 'Modbus/TCP.',
  options: {},
  parts: () => ({ frame: 'modbus' }),
}
