/** What a duplex says of its connection in the words of net.Socket, and the socket options that change nothing. */
import { HeardDuplex } from './heard-duplex.ts'

/** The addresses of the connection, and what TLS came to, if it speaks TLS. */
export type SocketTraits = {
  readonly localAddress: string
  readonly localPort: number
  readonly remoteAddress: string
  readonly remotePort: number
  readonly tls: { readonly alpnProtocol: string | null; readonly authorized: boolean } | null
}

type Family = 'IPv4' | 'IPv6'

export abstract class SocketFace extends HeardDuplex {
  readonly connecting = false
  readonly pending = false
  readonly localAddress: string
  readonly localPort: number
  readonly localFamily: Family
  readonly remoteAddress: string
  readonly remotePort: number
  readonly remoteFamily: Family
  /** Only on a connection that speaks TLS; undefined on a plain one, as on net.Socket. */
  readonly encrypted: true | undefined
  readonly authorized: boolean | undefined
  readonly alpnProtocol: string | false | undefined

  constructor(traits: SocketTraits) {
    // As net.Socket: the end of one direction ends the other, and 'close' is emitted with hadError, so by hand.
    super({ allowHalfOpen: false, emitClose: false, autoDestroy: true })
    this.localAddress = traits.localAddress
    this.localPort = traits.localPort
    this.localFamily = familyOf(traits.localAddress)
    this.remoteAddress = traits.remoteAddress
    this.remotePort = traits.remotePort
    this.remoteFamily = familyOf(traits.remoteAddress)
    this.encrypted = traits.tls ? true : undefined
    this.authorized = traits.tls?.authorized
    this.alpnProtocol = traits.tls ? (traits.tls.alpnProtocol ?? false) : undefined
  }

  address(): { address: string; port: number; family: Family } {
    return { address: this.localAddress, port: this.localPort, family: this.localFamily }
  }

  setNoDelay(): this {
    return this
  }

  setKeepAlive(): this {
    return this
  }
}

function familyOf(address: string): Family {
  return address.includes(':') ? 'IPv6' : 'IPv4'
}
