/** `connect`: stdin and stdout are one leased connection, as for `ssh -o ProxyCommand`. */
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { errorText } from '../base/error-text.ts'
import { environmentToken } from '../config/environment.ts'
import { readCallTls } from './call-tls.ts'
import { CommandError } from './command-error.ts'
import { type ServiceFlags, serviceUrl } from './service-call.ts'
import { print, type Streams } from './streams.ts'
import { openTunnel } from './tunnel.ts'

/**
 * Returns when the target has ended its direction and all of it is on stdout; the end of stdin is passed on before that.
 *
 * Errors: CommandError with exit code 1 where the service is not there or refuses, and where the connection breaks;
 * ReaderGone where nobody reads stdout any more.
 */
export async function connect(
  target: string,
  { url = serviceUrl(), token = environmentToken(), ...flags }: ServiceFlags,
  { stdin, stdout }: Streams,
): Promise<void> {
  const tunnel = await openTunnel(url, { target, token, tls: readCallTls(flags, url) })
  const broken = once(tunnel, 'error').then(([error]) => {
    throw new CommandError(1, `the connection to ${target} broke: ${errorText(error)}`, { cause: error })
  })
  // One that breaks later than anybody listens has nothing more to say.
  tunnel.on('error', () => {})
  stdin.on('error', () => tunnel.destroy())
  stdin.pipe(tunnel)
  try {
    await Promise.race([printAll(tunnel, stdout), broken])
  } finally {
    broken.catch(() => {})
    stdin.unpipe(tunnel)
    tunnel.destroy()
    // A terminal that nobody types on any more would keep this process.
    stdin.destroy()
  }
}

async function printAll(tunnel: Duplex, stdout: Streams['stdout']): Promise<void> {
  for await (const bytes of tunnel.iterator({ destroyOnReturn: false })) await print(stdout, bytes as Buffer)
}
