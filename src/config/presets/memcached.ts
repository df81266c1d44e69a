/** memcached by its text protocol. It has nothing that a connection remembers, and so nothing to reset. */
import type { Preset } from './preset.ts'

export const memcached: Preset = {
  description: 'memcached.',
  options: {},
  parts: () => ({
    frame: 'memcached',
    probe: [{ send: 'version\r\n' }, { expect: { prefix: 'VERSION ' } }],
  }),
}
