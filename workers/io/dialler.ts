/**
 * Dials: judges a place, connects to an approved address, speaks TLS, and checks where it arrived. The options of
 * node:net and node:tls are built here from scratch, field by field; nothing that a caller sent is handed on.
 */
import { connect as connectTcp, isIP, type Socket, type TcpNetConnectOpts } from 'node:net'
import {
  type ConnectionOptions,
  connect as connectTls,
  createSecureContext,
  type SecureContext,
  TLSSocket,
} from 'node:tls'
import { SockpoolError } from '../../src/base/errors.ts'
import { LIMITS } from '../../src/base/limits.ts'
import { aborted } from '../../src/base/wait.ts'
import type { Vitals } from '../../src/channel/vitals.ts'
import { type Address, sameAddress } from '../../src/egress/address.ts'
import type { Decision } from '../../src/egress/decision.ts'
import type { EgressRules } from '../../src/egress/egress-rules.ts'
import { judge } from '../../src/egress/judge.ts'
import type { NameResolver } from '../../src/egress/resolver.ts'
import type { Dial, Place, SocketFacts, TlsClient } from '../../src/threads/protocol.ts'
import { connectError } from './socket-error.ts'

/** Where the bytes go from the first one on. */
export type Receiver = {
  readonly nextBuffer: () => Buffer
  readonly received: (count: number, buffer: Uint8Array) => boolean
}

export class Dialler {
  readonly #rules: EgressRules
  readonly #resolver: NameResolver
  readonly #vitals: Vitals
  readonly #record: (decision: Decision) => void

  constructor(
    rules: EgressRules,
    resolver: NameResolver,
    vitals: Vitals,
    record: (decision: Decision) => void,
  ) {
    this.#rules = rules
    this.#resolver = resolver
    this.#vitals = vitals
    this.#record = record
  }

  /**
   * A connected socket, from the first place and address that answers.
   *
   * Errors: the last one's. A refusal of TLS or policy ends the attempt: another address would not heal it.
   */
  async dial(dial: Dial, receiver: Receiver, signal: AbortSignal): Promise<Socket> {
    let last: unknown = new SockpoolError('CONNECT_FAILED', 'the target has no place to dial')
    for (const place of dial.places) {
      try {
        for (const address of await this.#approve(place, dial, signal)) {
          try {
            return await this.#connect(address, place, dial, receiver, signal)
          } catch (error) {
            last = error
            if (signal.aborted || isFinal(error)) throw error
          }
        }
      } catch (error) {
        last = error
        if (signal.aborted || isFinal(error)) throw error
      }
    }
    throw last
  }

  #approve(place: Place, dial: Dial, signal: AbortSignal): Promise<readonly Address[]> {
    const authority =
      dial.authority === 'operator'
        ? ({ kind: 'operator' } as const)
        : ({ kind: 'rules', rules: this.#rules, tenant: dial.tenant } as const)
    return judge({ host: place.host, port: place.port, authority }, this.#resolver, signal, this.#record)
  }

  #connect(
    address: Address,
    place: Place,
    dial: Dial,
    receiver: Receiver,
    signal: AbortSignal,
  ): Promise<Socket> {
    if (signal.aborted) return Promise.reject(aborted('connect', signal))
    this.#vitals.add('dialled', 1)
    const { promise, resolve, reject } = Promise.withResolvers<Socket>()
    let socket: Socket
    try {
      socket = dial.tls ? openTls(address, place, dial.tls, receiver) : openTcp(address, place.port, receiver)
    } catch (error) {
      return Promise.reject(connectError(error, dial.tls !== null))
    }
    const onAbort = (): void => fail(aborted('connect', signal))
    const onError = (error: Error): void => fail(connectError(error, dial.tls !== null))
    const onClose = (): void => fail(connectError(hungUp(), dial.tls !== null))
    const forget = (): void => {
      signal.removeEventListener('abort', onAbort)
      socket.off('error', onError).off('close', onClose)
    }
    const fail = (error: Error): void => {
      forget()
      // What a dying socket still reports is a consequence of this failure.
      socket.on('error', () => {})
      socket.destroy()
      reject(error)
    }
    signal.addEventListener('abort', onAbort, { once: true })
    socket.on('error', onError).on('close', onClose)
    socket.once(dial.tls ? 'secureConnect' : 'connect', () => {
      if (!sameAddress(socket.remoteAddress, address))
        return fail(new SockpoolError('TARGET_DENIED', 'the connection arrived at another address'))
      forget()
      resolve(socket)
    })
    return promise
  }
}

/** What a socket says of itself once it is connected. */
export function socketFacts(socket: Socket): SocketFacts {
  return {
    localAddress: socket.localAddress ?? '',
    localPort: socket.localPort ?? 0,
    remoteAddress: socket.remoteAddress ?? '',
    remotePort: socket.remotePort ?? 0,
    tls: socket instanceof TLSSocket ? tlsFacts(socket) : null,
  }
}

function tlsFacts(socket: TLSSocket): NonNullable<SocketFacts['tls']> {
  const { subject, issuer, subjectaltname, valid_from, valid_to, fingerprint256 } =
    socket.getPeerCertificate()
  const plain = {
    subject: subject?.CN,
    issuer: issuer?.CN,
    subjectaltname,
    valid_from,
    valid_to,
    fingerprint256,
  }
  const peercert = Object.fromEntries(
    Object.entries(plain).map(([name, value]) => [name, String(value ?? '')]),
  )
  return {
    protocol: socket.getProtocol() ?? '',
    cipher: socket.getCipher().name,
    alpnProtocol: socket.alpnProtocol || null,
    authorized: socket.authorized,
    servername: servernameOf(socket),
    peercert,
  }
}

function servernameOf(socket: TLSSocket): string | null {
  // The property holds what was asked for; its type leaves it out on the client's side.
  const { servername } = socket as unknown as { readonly servername?: string | false | null }
  return servername || null
}

/** The judged literal alone: `host` is an address, so nothing is resolved again and no `path` can win over it. */
function openTcp(address: Address, port: number, receiver: Receiver): Socket {
  return connectTcp({
    host: address.text,
    port,
    family: address.family,
    autoSelectFamily: false,
    allowHalfOpen: true,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: LIMITS.keepAliveDelayMs,
    onread: { buffer: receiver.nextBuffer, callback: receiver.received },
  })
}

function openTls(address: Address, place: Place, tls: TlsClient, receiver: Receiver): Socket {
  // The name that was asked for is what SNI sends and the certificate must show; an address has no SNI.
  const name = tls.servername ?? place.host
  const options: TlsOptions = {
    host: address.text,
    port: place.port,
    autoSelectFamily: false,
    allowHalfOpen: true,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: LIMITS.keepAliveDelayMs,
    rejectUnauthorized: true,
    servername: isIP(name) === 0 ? name : '',
    secureContext: secureContext(tls),
    ...(tls.alpn ? { ALPNProtocols: [...tls.alpn] } : {}),
    onread: { buffer: receiver.nextBuffer, callback: receiver.received },
  }
  return connectTls(options)
}

/** node:tls hands these on to the socket it connects; its types do not say so. */
type TlsOptions = ConnectionOptions & Omit<TcpNetConnectOpts, 'timeout'>

/** Building a context parses its certificates, so each is built once and the least recently used one goes first. */
const contexts = new Map<string, SecureContext>()

function secureContext({ ca, cert, key, minVersion }: TlsClient): SecureContext {
  const name = JSON.stringify([ca, cert, key, minVersion])
  const context =
    contexts.get(name) ??
    createSecureContext({
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(minVersion === undefined ? {} : { minVersion }),
    })
  contexts.delete(name)
  contexts.set(name, context)
  if (contexts.size > LIMITS.secureContextsMax) contexts.delete(contexts.keys().next().value ?? '')
  return context
}

function isFinal(error: unknown): boolean {
  return error instanceof SockpoolError && (error.code === 'TLS_FAILED' || error.code === 'TARGET_DENIED')
}

function hungUp(): Error {
  return Object.assign(new Error('the peer hung up before the connection was ready'), { code: 'ECONNRESET' })
}
