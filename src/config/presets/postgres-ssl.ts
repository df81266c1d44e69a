/** PostgreSQL over TLS, which it starts within the connection; what the client says then is its own. */
import type { Preset } from './preset.ts'

/** SSLRequest: its length, and a number that is no version of the protocol. */
const SSL_REQUEST = '0000000804d2162f'

export const postgresSsl: Preset = {
  description: 'PostgreSQL over TLS; `tls` of the target says how.',
  options: {},
  parts: () => ({
    frame: 'postgres',
    onConnect: [{ send: { hex: SSL_REQUEST } }, { expect: 'S' }, { tls: true }],
  }),
}
