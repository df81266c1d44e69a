/**
 * Calls of other instances: one for each request that is theirs to answer, on connections that are kept for the next. Bodies
 * pass through in pieces, and whoever is slow slows the other side down. Each call has a deadline for its connection, and
 * one for silence; it ends with its client.
 *
 *   opened ──connected──► sent ──► answered: an answer, or another protocol
 *      └──────────┴──► failed: before a byte was answered
 */
import {
  type ClientRequest,
  Agent as HttpAgent,
  type IncomingMessage,
  request as requestHttp,
} from 'node:http'
import { Agent as HttpsAgent, request as requestHttps } from 'node:https'
import type { Duplex } from 'node:stream'
import { LIMITS } from '../../base/limits.ts'
import type { FleetPort } from '../ports.ts'
import type { CallHeaders } from './call-headers.ts'
import { failedCall } from './owner-problems.ts'

export type OwnerCall = {
  readonly name: string
  readonly origin: string
  readonly method: string
  /** With its query, as it came. */
  readonly path: string
  readonly headers: CallHeaders
  /** Fires when the client is gone. */
  readonly signal: AbortSignal
  /** Sends the body, and ends; where the client waits to be asked for it, once the owner asks. Null: there is none. */
  readonly sendBody: ((outbound: ClientRequest) => void) | null
  readonly onAnswer: (answer: IncomingMessage) => void
  /** Where another protocol was asked for. */
  readonly onSwitched?: (answer: IncomingMessage, socket: Duplex, head: Buffer) => void
  /** At most once, and never after an answer that was taken: where one of the two above throws, the call has failed. Errors: INSTANCE_UNREACHABLE, QUEUE_FULL, the signal's reason. */
  readonly onFailed: (error: unknown) => void
}

type Progress = 'opened' | 'sent' | 'answered' | 'failed'

export class OwnerCalls {
  readonly #agents: { readonly 'http:': HttpAgent; readonly 'https:': HttpsAgent }
  readonly #silenceMs: number

  /** `silenceMs`: longer than any wait of a call, and ends before the connection of its caller is cut. */
  constructor(tls: FleetPort['tls'], silenceMs: number) {
    const kept = {
      keepAlive: true,
      timeout: LIMITS.forwardedIdleMs,
      maxFreeSockets: LIMITS.forwardedIdleMax,
      scheduling: 'lifo',
    } as const
    this.#agents = { 'http:': new HttpAgent(kept), 'https:': new HttpsAgent({ ...kept, ...tls }) }
    this.#silenceMs = silenceMs
  }

  start(call: OwnerCall): void {
    const { signal } = call
    const outbound = this.#request(call)
    let progress: Progress = 'opened'
    const fail = (error: unknown): void => {
      if (progress === 'answered' || progress === 'failed') return
      const isSent = progress === 'sent'
      progress = 'failed'
      signal.removeEventListener('abort', abort)
      call.onFailed(signal.aborted ? signal.reason : failedCall(call.name, { ...call, isSent }, error))
    }
    const abort = (): void => {
      fail(signal.reason)
      outbound.destroy()
    }
    // What is thrown here has no caller that hears of it, and would end the process.
    const hand = (answered: { destroy(): unknown }, over: () => void): void => {
      if (progress === 'failed') return void answered.destroy()
      progress = 'answered'
      signal.removeEventListener('abort', abort)
      try {
        over()
      } catch (error) {
        answered.destroy()
        progress = 'sent'
        fail(error)
      }
    }
    watchConnection(outbound, () => {
      if (progress === 'opened') progress = 'sent'
    })
    outbound.on('error', fail)
    outbound.once('close', () => fail(new Error('the call was closed without an answer')))
    outbound.on('response', answer => {
      // What is read no more of the request is not sent either.
      answer.once('close', () => {
        if (!outbound.writableFinished) outbound.destroy()
      })
      hand(answer, () => call.onAnswer(answer))
    })
    outbound.on('upgrade', (answer, socket, head) => {
      hand(socket, () => {
        if (call.onSwitched === undefined) throw new Error('it switched protocols unasked')
        call.onSwitched(answer, socket, head)
      })
    })
    signal.addEventListener('abort', abort, { once: true })
    if (signal.aborted) return abort()
    send(outbound, call)
  }

  close(): void {
    for (const agent of Object.values(this.#agents)) agent.destroy()
  }

  #request({ origin, method, path, headers }: OwnerCall): ClientRequest {
    const { protocol, hostname, port } = new URL(origin)
    const place = { hostname: hostname.replace(/^\[|\]$/g, ''), port, method, path, timeout: this.#silenceMs }
    const outbound =
      protocol === 'https:'
        ? requestHttps({ ...place, agent: this.#agents['https:'] })
        : requestHttp({ ...place, agent: this.#agents['http:'] })
    for (const [name, value] of Object.entries(headers)) outbound.setHeader(name, value)
    outbound.on('timeout', () => outbound.destroy(new Error('the other instance was silent for too long')))
    return outbound
  }
}

function send(outbound: ClientRequest, { headers, sendBody }: OwnerCall): void {
  if (sendBody === null) {
    // Else Node would say of a POST that its body has no bytes, and its client has said nothing.
    outbound.useChunkedEncodingByDefault = false
    return void outbound.end()
  }
  outbound.flushHeaders()
  if (headers['expect'] === undefined) return sendBody(outbound)
  outbound.once('continue', () => sendBody(outbound))
}

/** Ends a request whose connection is not there in time. What waits behind it is sent as soon as it is. */
function watchConnection(outbound: ClientRequest, connected: () => void): void {
  outbound.once('socket', socket => {
    if (outbound.reusedSocket) return connected()
    const late = setTimeout(
      () => outbound.destroy(new Error('the other instance accepts no connection')),
      LIMITS.forwardedConnectMs,
    )
    outbound.once('close', () => clearTimeout(late))
    socket.once('encrypted' in socket ? 'secureConnect' : 'connect', () => {
      clearTimeout(late)
      connected()
    })
  })
}
