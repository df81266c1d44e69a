/** A call of a running service by a command: where it is, whose token, and what is done with a refusal. */
import { formatAddress, localUrl } from '../config/address.ts'
import { environmentToken, environmentUrl } from '../config/environment.ts'
import { type Answer, type Call, call, describeProblem } from './call.ts'
import { readCallTls, type TlsFlags } from './call-tls.ts'
import { CommandError } from './command-error.ts'
import { loadForCommand } from './config-commands.ts'
import { isRow } from './row-field.ts'
import { ServiceRefused } from './service-refused.ts'

/** The flags that every command of a running service has. */
export type ServiceFlags = TlsFlags & {
  readonly url?: string | undefined
  readonly token?: string | undefined
}

export type ServiceRequest = Pick<
  Call,
  'method' | 'path' | 'json' | 'accept' | 'timeoutMs' | 'signal' | 'sending'
>

/**
 * The answer, which is a success. `url`: default SOCKPOOL_URL, then where a service of this environment and the defaults
 * listens; `token`: default SOCKPOOL_TOKEN.
 *
 * Errors: ServiceRefused; CommandError with exit code 1 where the service is not there, 2 for flags that mean nothing.
 */
export async function callService(
  { url = serviceUrl(), token = environmentToken(), ...flags }: ServiceFlags,
  request: ServiceRequest,
): Promise<Answer> {
  const answer = await call(url, { ...request, token, tls: readCallTls(flags, url) })
  if (answer.status === 401) {
    const isTls = url.startsWith('https:')
    const next = `Give a token with --token or SOCKPOOL_TOKEN${isTls ? ', or a certificate with --cert and --key' : ''}.`
    throw new ServiceRefused(answer.status, `${describeProblem(answer)}\n${next}`)
  }
  if (answer.status < 200 || answer.status > 299)
    throw new ServiceRefused(answer.status, `${describeProblem(answer)}${nextStep(answer)}`)
  return answer
}

/** As `callService`, for an answer in JSON. */
export async function askService(
  flags: ServiceFlags,
  request: Omit<ServiceRequest, 'accept'>,
): Promise<Readonly<Record<string, unknown>>> {
  const { body } = await callService(flags, { ...request, accept: 'application/json' })
  const value = jsonOf(body)
  if (isRow(value)) return value
  throw new CommandError(1, 'what answers there is no sockpool\nName another address with --url.')
}

/** The service's address where no flag names it. Errors: as `ownUrl`. */
export function serviceUrl(): string {
  return environmentUrl() ?? ownUrl()
}

/** Undefined where it is no JSON. */
function jsonOf(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    return undefined
  }
}

function nextStep({ status, body }: Answer): string {
  if (status !== 403) return ''
  const json = jsonOf(body)
  const code = isRow(json) ? json['code'] : undefined
  if (code === 'forbidden')
    return '\nThe token may not do this: give that of an admin with --token or SOCKPOOL_TOKEN.'
  if (code === 'host_denied') return '\nName the service in --url by a name of its http.hosts.'
  return ''
}

/**
 * Where a service of this environment and the defaults listens. Errors: CommandError with exit code 2 where that is an
 * inherited socket, of which only the service knows.
 */
function ownUrl(): string {
  const { listen, http } = loadForCommand({})
  if (listen.kind === 'fd')
    throw new CommandError(
      2,
      `name the service with --url: where ${formatAddress(listen)} listens only it knows`,
    )
  return localUrl(listen, http.tls ? 'https' : 'http')
}
