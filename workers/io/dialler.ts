/**
 * Dials: judges a place, connects to an approved address, speaks TLS, and checks where it arrived. The options of
 * node:net and node:tls are built here from scratch, field by field; nothing that a caller sent is handed on.
 */
import { connect as connectTcp, type Socket, type TcpNetConnectOpts } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import { exhausted, isOutOfDescriptors } from '../../src/base/descriptors.ts'
import type { Decision } from '../../src/base/egress-data.ts'
import { reviveError, SockpoolError } from '../../src/base/errors.ts'
import { FaultGuard } from '../../src/base/fault-guard.ts'
import { LIMITS } from '../../src/base/limits.ts'
import { aborted } from '../../src/base/wait.ts'
import type { Vitals } from '../../src/channel/vitals.ts'
import { type Address, parseAddress, sameAddress } from '../../src/egress/address.ts'
import type { EgressRules } from '../../src/egress/egress-rules.ts'
import { judge } from '../../src/egress/judge.ts'
import { interfaceName, socketText } from '../../src/egress/local-addresses.ts'
import type { NameResolver } from '../../src/egress/resolver.ts'
import type { Dial, Place, TlsClient } from '../../src/threads/protocol.ts'
import { AttemptErrors, attemptsError, firstOf, interleaved } from './attempts.ts'
import { DialTime } from './dial-time.ts'
import { connectError, hungUp } from './socket-error.ts'
import { tlsClientOptions } from './tls-client.ts'
import { watchTlsEnd } from './tls-end.ts'
import { sessionKind, TlsSessions } from './tls-sessions.ts'

/** A look-up that got no descriptor fails as if the name were not there. */
function hidesExhaustion(error: unknown): boolean {
  return error instanceof SockpoolError && error.code === 'DNS_FAILED' && isOutOfDescriptors()
}

/** Where the bytes go from the first one on. */
export type Receiver = {
  readonly nextBuffer: () => Buffer
  readonly received: (count: number, buffer: Uint8Array) => boolean
}

export class Dialler {
  readonly #rules: EgressRules
  readonly #resolver: NameResolver
  readonly #vitals: Vitals
  readonly #sessions = new TlsSessions()
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
   * A connected socket, from the first place and address that answers, and the place. What is tried one after another
   * has its share of the time until `deadlineMs` (of performance.now): one that never answers leaves the others theirs.
   * `onPlace` is told of each place that is tried.
   *
   * Errors: that of the only attempt, or of all of them joined (`attemptsError`); AttemptErrors with them when the signal
   * ends the dial. A refusal of TLS or policy, and a lack of this machine's own, end the attempts: another address would
   * not heal it.
   */
  async dial(
    dial: Dial,
    receiver: Receiver,
    signal: AbortSignal,
    deadlineMs: number,
    onPlace: (place: number) => void,
  ): Promise<Dialled> {
    if (dial.path !== undefined) {
      const { path } = dial
      const place = { host: dial.tls?.servername ?? '', port: 0 }
      return { socket: await this.#connectUnix(path, place, dial.tls, receiver, signal), place }
    }
    const errors: unknown[] = []
    for (const [index, place] of dial.places.entries()) {
      onPlace(index)
      const time = new DialTime(signal, deadlineMs).share(dial.places.length - index)
      const tell = (error: unknown): unknown => (dial.places.length > 1 ? named(error, place) : error)
      const early: unknown[] = []
      try {
        return { socket: await this.#reach(place, dial, receiver, time, early), place }
      } catch (error) {
        if (hidesExhaustion(error)) throw exhausted('no name can be looked up', error)
        if (signal.aborted) throw new AttemptErrors([...errors, ...early.map(tell), noAnswer(place)])
        errors.push(...(error instanceof AttemptErrors ? error.errors : [error]).map(tell))
        if (isFinal(errors.at(-1))) throw errors.at(-1)
      }
    }
    throw attemptsError(errors)
  }

  /** Errors: AttemptErrors, or why the place has no address to try. What fails before the dial ends goes to `early`. */
  async #reach(
    place: Place,
    dial: Dial,
    receiver: Receiver,
    time: DialTime,
    early: unknown[],
  ): Promise<Socket> {
    const { happyEyeballsDelayMs: delayMs } = dial
    const { signal } = time
    const what = `the address of ${place.host}`
    const approved = await time.bound(what, until => this.#approve(place, dial, until))
    const attempt = async (address: Address, under: AbortSignal, left: number): Promise<Socket> => {
      // Those that overlap have all of the place's time.
      const own = time.under(under).share(delayMs === undefined ? left : 1)
      const where = `${address.text} port ${place.port}`
      try {
        return await own.bound(where, until => this.#connect(address, place, dial, receiver, until))
      } catch (error) {
        if (!signal.aborted) early.push(error)
        throw error
      }
    }
    return await firstOf(reachable(approved, dial), attempt, { delayMs, isFinal, signal })
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
    const { tls } = dial
    const options = tcpOptions(address, place.port, dial.localAddress, receiver)
    const open = (): Socket => (tls ? this.#openTls(options, dial, place, tls) : connectTcp(options))
    return this.#ready(open, tls !== null, signal, socket => {
      // A peer that reset at once leaves a socket without addresses.
      if (socket.remoteAddress === undefined) return connectError(hungUp(), false)
      if (sameAddress(socket.remoteAddress, address, interfaceName)) return null
      return new SockpoolError('TARGET_DENIED', 'the connection arrived at another address')
    })
  }

  #openTls(at: TcpNetConnectOpts, dial: Dial, place: Place, tls: TlsClient): Socket {
    const kind = sessionKind(dial, place, tls)
    // An address that is verified is the one that is dialled: that is what `host` stands for without a name.
    const options: TlsOptions = {
      ...tlsClientOptions(tls, place.host),
      ...this.#sessions.optionsOf(kind),
      ...at,
    }
    const socket = connectTls(options)
    this.#sessions.watch(kind, socket)
    return watchTlsEnd(socket)
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
    const guard = new FaultGuard(error => reject(connectError(error, speaksTls)))
    const onAbort = guard.action(() => fail(aborted('connect', signal)))
    const onError = guard.action((error: Error) => fail(connectError(error, speaksTls)))
    const onClose = guard.action(() => fail(connectError(hungUp(), speaksTls)))
    const forget = (): void => {
      signal.removeEventListener('abort', onAbort)
      socket.off('error', onError).off('close', onClose)
    }
    const fail = (error: Error): void => {
      forget()
      reject(error)
      socket.destroy()
    }
    // Also between this and whoever gets the socket, and while it dies: an error that nobody hears would end the thread,
    // and over TLS not every one ends the socket.
    // This one stays for as long as the socket lives, so it holds nothing of the dial.
    socket.on('error', destroyIt)
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

function destroyIt(this: Socket): void {
  this.destroy()
}

/** A dial's outcome: the socket, and the place it is connected to. */
export type Dialled = { readonly socket: Socket; readonly place: Place }

/** Says of which of several places a failure is, where its text does not. */
function named(error: unknown, { host, port }: Place): SockpoolError {
  const known = SockpoolError.from(error, 'CONNECT_FAILED')
  if (known.message.includes(host)) return known
  const { message, ...fields } = known.toJSON()
  return reviveError({ ...fields, message: `${host} port ${port}: ${message}` })
}

/** The place that was tried when the time of the dial was over. */
function noAnswer({ host, port }: Place): SockpoolError {
  return new SockpoolError('CONNECT_TIMEOUT', `no answer from ${host} port ${port}`, { reason: 'ETIMEDOUT' })
}

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
    host: dialText(address),
    port,
    family: address.family,
    autoSelectFamily: false,
    ...(localAddress === undefined ? {} : { localAddress: localText(localAddress) }),
    ...common(receiver),
  }
}

/** The address as the system takes it. Errors: CONNECT_FAILED, where its link is none of this machine's. */
function dialText(address: Address): string {
  const text = socketText(address)
  if (text !== undefined) return text
  const message = `${address.text}: this machine has no such interface`
  throw new SockpoolError('CONNECT_FAILED', message, { reason: 'ENODEV' })
}

function localText(localAddress: string): string {
  const address = parseAddress(localAddress)
  return address === undefined ? localAddress : dialText(address)
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

/** node:tls hands these on to the socket it connects; its types do not say so. */
type TlsOptions = ConnectionOptions & Omit<TcpNetConnectOpts, 'timeout'>

const FINAL: ReadonlySet<string> = new Set(['TLS_FAILED', 'TARGET_DENIED', 'QUEUE_FULL'])

function isFinal(error: unknown): boolean {
  return error instanceof SockpoolError && FINAL.has(error.code)
}
