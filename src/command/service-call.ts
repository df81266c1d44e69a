/** A call of a running service by a command: where it is, whose token, and what is done with a refusal. */
import { formatAddress, localUrl } from '../config/address.ts'
import { environmentToken, environmentUrl } from '../config/environment.ts'
import { type Answer, type Call, call, describeProblem } from './call.ts'
import { readCallTls, type TlsFlags } from './call-tls.ts'
import { CommandError } from './command-error.ts'
import { loadForCommand } from './config-commands.ts'

/** The flags that every command of a running service has. */
export type ServiceFlags = TlsFlags & {
  readonly url?: string | undefined
  readonly token?: string | undefined
}

/**
 * The answer, which is a success. `url`: default SOCKPOOL_URL, then where a service of this environment and the defaults
 * listens; `token`: default SOCKPOOL_TOKEN.
 *
 * Errors: CommandError with exit code 1 where the service is not there or refuses, 2 for flags that mean nothing.
 */
export async function callService(
  { url = environmentUrl() ?? ownUrl(), token = environmentToken(), ...flags }: ServiceFlags,
  request: Pick<Call, 'method' | 'path' | 'json' | 'accept' | 'timeoutMs'>,
): Promise<Answer> {
  const answer = await call(url, { ...request, token, tls: readCallTls(flags, url) })
  if (answer.status === 401) {
    const isTls = url.startsWith('https:')
    const next = `Give a token with --token or SOCKPOOL_TOKEN${isTls ? ', or a certificate with --cert and --key' : ''}.`
    throw new CommandError(1, `${describeProblem(answer)}\n${next}`)
  }
  if (answer.status < 200 || answer.status > 299) throw new CommandError(1, describeProblem(answer))
  return answer
}

/** As `callService`, for an answer in JSON. */
export async function askService(
  flags: ServiceFlags,
  request: Pick<Call, 'method' | 'path' | 'json' | 'timeoutMs'>,
): Promise<Readonly<Record<string, unknown>>> {
  const { body } = await callService(flags, { ...request, accept: 'application/json' })
  const value: unknown = JSON.parse(body.toString('utf8'))
  if (typeof value === 'object' && value !== null) return value as Readonly<Record<string, unknown>>
  throw new CommandError(1, 'what answers there is no sockpool')
}

/**
 * Where a service of this environment and the defaults listens. Errors: CommandError with exit code 2 where that is an
 * inherited socket, of which only the service knows.
 */
export function ownUrl(): string {
  const { listen, http } = loadForCommand({})
  if (listen.kind === 'fd')
    throw new CommandError(
      2,
      `name the service with --url: where ${formatAddress(listen)} listens only it knows`,
    )
  return localUrl(listen, http.tls ? 'https' : 'http')
}
