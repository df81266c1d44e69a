/**
 * The last TLS session of each kind of dial, so that the next handshake of the kind is a short one. The kind is all that
 * shapes the handshake, and the tenant: a session vouches for a peer whose certificate is not judged again.
 */
import type { TLSSocket } from 'node:tls'
import { LIMITS } from '../../src/base/limits.ts'
import type { Dial, Place, TlsClient } from '../../src/threads/protocol.ts'
import { digestOf } from './options-digest.ts'

export class TlsSessions {
  /** In the order of their coming: the oldest goes first. */
  readonly #sessions = new Map<string, Buffer>()

  /** What TLS is told beside its other options. */
  optionsOf(kind: string): { readonly session?: Buffer } {
    const session = this.#sessions.get(kind)
    return session === undefined ? {} : { session }
  }

  /** Keeps the sessions that the connection is given, once its peer is verified; a handshake that fails forgets the kind's. */
  watch(kind: string, socket: TLSSocket): void {
    let pending: Buffer | null = null
    let isVerified = false
    const onSession = (session: Buffer): void => {
      if (isVerified) this.#keep(kind, session)
      else pending = session
    }
    const onFailed = (): void => {
      if (!isVerified) this.#sessions.delete(kind)
    }
    socket.on('session', onSession)
    socket.once('error', onFailed)
    socket.once('secureConnect', () => {
      isVerified = true
      if (pending !== null) this.#keep(kind, pending)
    })
  }

  #keep(kind: string, session: Buffer): void {
    this.#sessions.delete(kind)
    this.#sessions.set(kind, session)
    if (this.#sessions.size > LIMITS.tlsSessionsMax)
      this.#sessions.delete(this.#sessions.keys().next().value ?? '')
  }
}

/** Equal for dials that may share a session. */
export function sessionKind({ authority, tenant, path }: Dial, place: Place, tls: TlsClient): string {
  return JSON.stringify([authority, tenant, path ?? null, place.host, place.port, digestOf(tls)])
}
