/** A raw tunnel through a running service: its connection of a target, as a stream of this process. */
import { type IncomingMessage, request as requestPlain } from 'node:http'
import { request as requestTls } from 'node:https'
import type { Duplex } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import type { BreakableSocket } from '../base/break-off.ts'
import { describeProblem, placeOf, unreachable } from './call.ts'
import type { CallTls } from './call-tls.ts'
import { CommandError } from './command-error.ts'

export type TunnelCall = {
  readonly target: string
  readonly token?: string | undefined
  readonly tls?: CallTls
  /** Gives the attempt up. */
  readonly signal?: AbortSignal | undefined
}

/**
 * The connection, once the service has switched to it: what it gives and takes are the target's bytes, and each side ends
 * as the target's does.
 *
 * Errors: CommandError with exit code 1 where none answers, or the service refuses; 2 where `url` is no URL.
 */
export async function openTunnel(
  url: string,
  { target, token, tls, signal }: TunnelCall,
): Promise<BreakableSocket> {
  const options = {
    ...placeOf(url, `/v1/connect/${encodeURIComponent(target)}`),
    ...tls,
    headers: {
      connection: 'Upgrade',
      upgrade: 'tcp',
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    },
    agent: false,
    ...(signal && { signal }),
  }
  const { promise, resolve, reject } = Promise.withResolvers<Duplex | IncomingMessage>()
  const outgoing = url.startsWith('https:') ? requestTls(options) : requestPlain(options)
  outgoing.once('error', reject)
  outgoing.once('response', resolve)
  outgoing.once('upgrade', (_answer, socket: Duplex, head: Buffer) => {
    if (head.length > 0) socket.unshift(head)
    resolve(socket)
  })
  outgoing.end()
  const answered = await promise.catch((error: unknown) => {
    throw unreachable(url, error)
  })
  if (!('statusCode' in answered)) return answered as BreakableSocket
  throw await refusal(answered as IncomingMessage)
}

async function refusal(answer: IncomingMessage): Promise<CommandError> {
  const status = answer.statusCode ?? 0
  const text = describeProblem({ status, headers: new Headers(), body: await buffer(answer) })
  const next = status === 401 ? '\nGive a token with --token or SOCKPOOL_TOKEN.' : ''
  return new CommandError(1, `${text}${next}`)
}
