/**
 * Dials: judges a place, connects to an approved address, speaks TLS, and checks where it arrived. The options of
 * node:net and node:tls are built here from scratch, field by field; nothing that a caller sent is handed on.
 */
import { connect as connectTcp, type Socket, type TcpNetConnectOpts } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import type { Decision } from '../../src/base/egress-data.ts'
import { SockpoolError } from '../../src/base/errors.ts'
import { LIMITS } from '../../src/base/limits.ts'
import { aborted } from '../../src/base/wait.ts'
import type { Vitals } from '../../src/channel/vitals.ts'
import { type Address, parseAddress, sameAddress } from '../../src/egress/address.ts'
import type { EgressRules } from '../../src/egress/egress-rules.ts'
import { judge } from '../../src/egress/judge.ts'
import type { NameResolver } from '../../src/egress/resolver.ts'
import type { Dial, Place, TlsClient } from '../../src/threads/protocol.ts'
import { AttemptErrors, attemptsError, firstOf, interleaved } from './attempts.ts'
import { FaultGuard } from './fault-guard.ts'
import { connectError, hungUp } from './socket-error.ts'
import { tlsClientOptions } from './tls-client.ts'
import { watchTlsEnd } from './tls-end.ts'

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
   * A connected socket, from the first place and address that answers, and the place.
   *
   * Errors: that of the only attempt, or of all of them joined (`attemptsError`). A refusal of TLS or policy ends
   * the attempts: another address would not heal it.
   */
  async dial(dial: Dial, receiver: Receiver, signal: AbortSignal): Promise<Dialled> {
    if (dial.path !== undefined) {
      const { path } = dial
      const place = { host: dial.tls?.servername ?? '', port: 0 }
      return { socket: await this.#connectUnix(path, place, dial.tls, receiver, signal), place }
    }
    const errors: unknown[] = []
    for (const place of dial.places) {
      try {
        const addresses = reachable(await this.#approve(place, dial, signal), dial)
        const socket = await firstOf(
          addresses,
          async (address, until) => await this.#connect(address, place, dial, receiver, until),
          { delayMs: dial.happyEyeballsDelayMs, isFinal, signal },
        )
        return { socket, place }
      } catch (error) {
        errors.push(...(error instanceof AttemptErrors ? error.errors : [error]))
        if (signal.aborted || isFinal(errors.at(-1))) throw errors.at(-1)
      }
    }
    throw attemptsError(errors)
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
    { tls, localAddress }: Dial,
    receiver: Receiver,
    signal: AbortSignal,
  ): Promise<Socket> {
    const options = tcpOptions(address, place.port, localAddress, receiver)
    const open = (): Socket => (tls ? openTls(options, place, tls) : connectTcp(options))
    return this.#ready(open, tls !== null, signal, socket => {
      // A peer that reset at once leaves a socket without addresses.
      if (socket.remoteAddress === undefined) return connectError(hungUp(), false)
      if (sameAddress(socket.remoteAddress, address)) return null
      return new SockpoolError('TARGET_DENIED', 'the connection arrived at another address')
    })
  }

  #connectUnix(
    path: string,
    place: Place,
    tls: TlsClient | null,
    receiver: Receiver,
    signal: AbortSignal,
  ): Promise<Socket> {
    const options = { path, ...common(receiver) }
    const open = (): Socket =>
      tls
        ? watchTlsEnd(connectTls({ ...tlsClientOptions(tls, place.host), ...options }))
        : connectTcp(options)
    return this.#ready(open, tls !== null, signal, () => null)
  }

  /** The socket that `open` makes, once it is connected and `fault` finds none with it. */
  #ready(
    open: () => Socket,
    speaksTls: boolean,
    signal: AbortSignal,
    fault: (socket: Socket) => Error | null,
  ): Promise<Socket> {
    if (signal.aborted) return Promise.reject(aborted('connect', signal))
    this.#vitals.add('dialled', 1)
    const { promise, resolve, reject } = Promise.withResolvers<Socket>()
    let socket: Socket
    try {
      socket = open()
    } catch (error) {
      return Promise.reject(connectError(error, speaksTls))
    }
    const onAbort = (): void => fail(aborted('connect', signal))
    const onError = (error: Error): void => fail(connectError(error, speaksTls))
    const onClose = (): void => fail(connectError(hungUp(), speaksTls))
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
    const onReady = new FaultGuard(error => fail(connectError(error, speaksTls))).action(() => {
      const found = fault(socket)
      if (found !== null) return fail(found)
      forget()
      resolve(socket)
    })
    socket.once(speaksTls ? 'secureConnect' : 'connect', onReady)
    return promise
  }
}

/** A dial's outcome: the socket, and the place it is connected to. */
export type Dialled = { readonly socket: Socket; readonly place: Place }

/** The addresses that can be dialled from where the dial is to start, families in turn where attempts overlap. */
function reachable(addresses: readonly Address[], dial: Dial): readonly Address[] {
  const from = dial.localAddress === undefined ? undefined : parseAddress(dial.localAddress)
  const usable = from ? addresses.filter(({ family }) => family === from.family) : addresses
  if (usable.length === 0)
    throw new SockpoolError('CONNECT_FAILED', 'no address is of the family of the local address', {
      reason: 'EADDRNOTAVAIL',
    })
  return dial.happyEyeballsDelayMs === undefined ? usable : interleaved(usable)
}

/** The judged literal alone: `host` is an address, so nothing is resolved again and no `path` can win over it. */
function tcpOptions(
  address: Address,
  port: number,
  localAddress: string | undefined,
  receiver: Receiver,
): TcpNetConnectOpts {
  return {
    host: address.text,
    port,
    family: address.family,
    autoSelectFamily: false,
    ...(localAddress === undefined ? {} : { localAddress }),
    ...common(receiver),
  }
}

function common({ nextBuffer, received }: Receiver) {
  return {
    allowHalfOpen: true,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: LIMITS.keepAliveDelayMs,
    onread: { buffer: nextBuffer, callback: received },
  }
}

function openTls(at: TcpNetConnectOpts, place: Place, tls: TlsClient): Socket {
  // An address that is verified is the one that is dialled: that is what `host` stands for without a name.
  const options: TlsOptions = { ...tlsClientOptions(tls, place.host), ...at }
  return watchTlsEnd(connectTls(options))
}

/** node:tls hands these on to the socket it connects; its types do not say so. */
type TlsOptions = ConnectionOptions & Omit<TcpNetConnectOpts, 'timeout'>

function isFinal(error: unknown): boolean {
  return error instanceof SockpoolError && (error.code === 'TLS_FAILED' || error.code === 'TARGET_DENIED')
}
