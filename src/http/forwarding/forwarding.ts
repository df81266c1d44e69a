/**
 * Any instance answers for any lease and listener: a request about one that another instance holds is answered by that one,
 * through this one. Here its caller is authenticated and counted, and nothing more of the request is judged.
 *
 *   not known here ──► whose is its id? ─┬─ own ──────────► this instance's routes
 *                                        ├─ other ────────► passed on; 307 where the caller asks for that
 *                                        ├─ unreachable ──► 503 instance_unreachable
 *                                        └─ lost ─────────► 410 lease_gone, 404 listener_not_found
 *
 * A request that was passed on is never passed on again. Nothing of it is parsed here; a proxy's plugin would do for that, but it
 * goes on with a call whose client has gone, and with it reads bytes for nobody; nor does it tell what was sent from what was not.
 */
import type { IncomingMessage } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { SockpoolError } from '../../base/errors.ts'
import type { IdOwner } from '../../base/fleet-data.ts'
import { LIMITS } from '../../base/limits.ts'
import { onAnswerEnd } from '../bytes/answer-end.ts'
import { clientSignalOf } from '../bytes/client-signal.ts'
import { silenceMaxMs } from '../connection-silence.ts'
import { tokenIn } from '../door/auth.ts'
import { CALLER_HEADER, callerWord, FORWARDED_HEADER, isForwarded } from '../door/forwarded-caller.ts'
import { principalOf } from '../door/principal.ts'
import { notesForwarding } from '../door/request-log.ts'
import { isUpgrade, takeUpgrade } from '../door/upgrades.ts'
import type { AppDeps, FleetPort } from '../ports.ts'
import { endUnread, sendProblem } from '../problems.ts'
import { routeOf } from '../request-route.ts'
import { answeredHeaders, type CallHeaders, framingOf, sentHeaders } from './call-headers.ts'
import { hasBody, sendBody } from './forwarded-body.ts'
import { joinStream } from './forwarded-stream.ts'
import { type OwnerCall, OwnerCalls } from './owner-calls.ts'
import { type HeldKind, lost, resultOf, tooMany, unreachable } from './owner-problems.ts'

export const REDIRECT_HEADER = 'sockpool-redirect'

export type ForwardingDeps = Pick<AppDeps, 'auth' | 'limits' | 'forwarded'> & {
  readonly fleet: FleetPort
  /** Whether this instance has, or had of late, what the id names. */
  readonly knows: Readonly<Record<HeldKind, (id: string) => boolean>>
  /** Calls at once; default LIMITS.forwardedCallsMax. */
  readonly callsMax?: number
  /** Milliseconds of an owner that says nothing; default: a little less than its caller's connection may be silent. */
  readonly silenceMs?: number
}

type Owner = Extract<IdOwner, { kind: 'other' }>

/** One request that another instance answers. */
type Forwarded = {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly owner: Owner
}

/** To be registered behind the door: the caller is known by then. */
export function registerForwarding(app: FastifyInstance, deps: ForwardingDeps): void {
  const forwarding = new Forwarding(deps)
  app.addHook('onRequest', (request, reply, done) => {
    if (!forwarding.takes(request, reply)) done()
  })
  app.addHook('onClose', (_app, done) => {
    forwarding.close()
    done()
  })
}

class Forwarding {
  readonly #deps: ForwardingDeps
  readonly #calls: OwnerCalls
  #underWay = 0

  constructor(deps: ForwardingDeps) {
    const { limits, fleet, silenceMs = silenceMaxMs(limits) - LIMITS.forwardedGraceMs } = deps
    this.#deps = deps
    this.#calls = new OwnerCalls(fleet.tls, silenceMs)
  }

  /** Whether another instance answers it. Errors: LEASE_GONE, LISTENER_NOT_FOUND, INSTANCE_UNREACHABLE, QUEUE_FULL. */
  takes(request: FastifyRequest, reply: FastifyReply): boolean {
    const held = heldIn(request)
    if (held === null) return false
    const { id } = request.params as { readonly id: string }
    const { fleet, knows } = this.#deps
    if (knows[held](id)) return false
    const owner = fleet.ownerOf(id)
    if (owner.kind === 'own') return false
    if (owner.kind === 'lost') throw this.#counted(lost(held))
    if (owner.kind === 'unreachable') throw this.#counted(unreachable(owner))
    // It is asked once: two that take each other for the owner would ask without end.
    if (isForwarded(request.raw)) return false
    this.#answer({ request, reply, owner })
    return true
  }

  close(): void {
    this.#calls.close()
  }

  #answer(call: Forwarded): void {
    const { request, reply, owner } = call
    if (request.headers[REDIRECT_HEADER] === '1') return redirect(call)
    const { callsMax = LIMITS.forwardedCallsMax } = this.#deps
    if (this.#underWay >= callsMax) throw this.#counted(tooMany(callsMax))
    const isStream = isUpgrade(request, 'websocket')
    this.#underWay++
    onAnswerEnd(request.raw, reply.raw, () => this.#underWay--)
    notesForwarding(request, owner.name)
    if (isStream) this.#stream(call)
    else this.#start(call, this.#headersOf(call), { onAnswer: answer => sendAnswer(call, answer) })
  }

  #stream(call: Forwarded): void {
    const { request, reply } = call
    const switching = { connection: 'Upgrade', upgrade: 'websocket' }
    this.#start(
      call,
      { ...this.#headersOf(call), ...switching },
      {
        onAnswer: answer => sendAnswer(call, answer),
        onSwitched: (answer, socket, head) =>
          joinStream(takeUpgrade(request, reply, 'websocket'), { answer, socket, head }),
      },
    )
  }

  #start(
    { request, reply, owner }: Forwarded,
    headers: CallHeaders,
    { onAnswer, onSwitched }: Pick<OwnerCall, 'onAnswer' | 'onSwitched'>,
  ): void {
    const { method, raw } = request
    this.#calls.start({
      ...owner,
      method,
      path: raw.url ?? '/',
      headers,
      signal: clientSignalOf(request),
      sendBody: hasBody(request) ? outbound => sendBody(request, outbound) : null,
      onAnswer: answer => {
        onAnswer(answer)
        this.#deps.forwarded?.count('ok')
      },
      ...(onSwitched && {
        onSwitched: (answer, socket, head) => {
          onSwitched(answer, socket, head)
          this.#deps.forwarded?.count('ok')
        },
      }),
      onFailed: error => {
        const counted = error instanceof SockpoolError ? this.#counted(error) : error
        // Of an answer that has begun only its end can be told.
        if (reply.sent || reply.raw.headersSent) raw.socket.destroy()
        else sendProblem(counted, request, reply)
      },
    })
  }

  /** What the owner is told. Errors: INSTANCE_UNREACHABLE where it could not be told who calls. */
  #headersOf({ request, owner }: Forwarded): CallHeaders {
    const { headers, method, raw } = request
    const { auth, fleet } = this.#deps
    const own = {
      ...sentHeaders(headers),
      host: new URL(owner.origin).host,
      [FORWARDED_HEADER]: fleet.name,
      ...(hasBody(request) ? framingOf(headers) : {}),
    }
    if (auth === null || tokenIn(headers) !== undefined) return own
    if (fleet.secret === null)
      throw this.#counted(unreachable({ name: owner.name, retryAfterMs: LIMITS.fleetRenewMs }))
    const about = { method, path: raw.url ?? '/', owner: owner.name }
    const word = callerWord(fleet.secret, principalOf(request).tenant, about, Date.now())
    return { ...own, [CALLER_HEADER]: word }
  }

  #counted(error: SockpoolError): SockpoolError {
    this.#deps.forwarded?.count(resultOf(error))
    return error
  }
}

/** What the request's path names by its id; null where that is neither a lease nor a listener. */
function heldIn(request: FastifyRequest): HeldKind | null {
  const { url = '' } = routeOf(request)
  if (url.startsWith('/v1/leases/:id')) return 'lease'
  return url.startsWith('/v1/listeners/:id') ? 'listener' : null
}

/** The caller asks the owner itself, by the same request. */
function redirect({ request, reply, owner }: Forwarded): void {
  endUnread(request, reply)
  reply.code(307).header('location', `${owner.origin}${request.raw.url}`).send()
}

/** Sends the owner's answer as it comes. */
function sendAnswer({ request, reply }: Forwarded, answer: IncomingMessage): void {
  endUnread(request, reply)
  reply
    .code(answer.statusCode ?? 502)
    .headers(answeredHeaders(answer.headers))
    .send(answer)
  // An answer whose bytes are not there yet still has its head.
  const flush = setImmediate(() => {
    if (!reply.raw.headersSent && !reply.raw.destroyed) reply.raw.flushHeaders()
  })
  answer.once('close', () => clearImmediate(flush))
}
