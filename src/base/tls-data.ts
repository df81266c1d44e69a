/** TLS as the connecting side speaks it: plain data that crosses threads. PEM is text. */
export type TlsClient = {
  readonly servername?: string | undefined
  readonly ca?: string | undefined
  readonly cert?: string | undefined
  readonly key?: string | undefined
  readonly alpn?: readonly string[] | undefined
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3' | undefined
}
