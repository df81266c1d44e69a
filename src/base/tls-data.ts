/** What is said of TLS: plain data that crosses threads. PEM is text. */

/** As the connecting side speaks it. */
export type TlsClient = {
  readonly servername?: string | undefined
  readonly ca?: string | undefined
  readonly cert?: string | undefined
  readonly key?: string | undefined
  readonly alpn?: readonly string[] | undefined
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3' | undefined
}

/** As the accepting side speaks it. */
export type TlsServer = {
  readonly cert: string
  readonly key: string
  /** Who signs the certificates of clients. */
  readonly ca?: string | undefined
  /** Clients must show a certificate that `ca`, or the platform, vouches for. */
  readonly requestCert?: boolean | undefined
  readonly alpn?: readonly string[] | undefined
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3' | undefined
}

/** What TLS came to. `peercert` has the certificate's plain fields only. */
export type TlsFacts = {
  readonly protocol: string
  readonly cipher: string
  readonly alpnProtocol: string | null
  readonly authorized: boolean
  readonly servername: string | null
  readonly peercert: Readonly<Record<string, string>>
}

/** Which side of TLS this end is. */
export type TlsSide =
  | { readonly side: 'client'; readonly tls: TlsClient }
  | {
      readonly side: 'server'
      readonly tls: TlsServer
      /** Bytes that came before TLS started: the beginning of the handshake. */
      readonly early: Uint8Array
    }
