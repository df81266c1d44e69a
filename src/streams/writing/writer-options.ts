/** What a StreamWriter is told of its connection when it is made. */
import { optionsObject, signalOption, timeLimitOption, typeFault } from '../../base/options.ts'
import type { WaitOptions } from '../../base/wait.ts'
import type { CallWatch } from '../call-watch.ts'

/** What `getExtraInfo` knows; `ssl` is null on a plain connection. */
export type ExtraInfo = {
  readonly peername?: readonly [address: string, port: number]
  readonly sockname?: readonly [address: string, port: number]
  readonly ssl?: Readonly<Record<string, unknown>> | null
  readonly cipher?: string
  readonly peercert?: Readonly<Record<string, unknown>>
}

export type StreamWriterOptions = {
  /** Bytes kept beyond the sink before `write` throws WRITE_OVERFLOW; default 64 MiB. */
  readonly maxBufferedBytes?: number | undefined
  readonly extraInfo?: ExtraInfo | undefined
  /** TLS has no half-close. */
  readonly canWriteEof?: boolean | undefined
  /** The error of the reading half, which `drain` throws first, as asyncio does. */
  readonly readerException?: (() => Error | null) | undefined
  /** Called after each write of which something was accepted. */
  readonly onWrite?: (() => void) | undefined
  /** Hears of each call that does something, and of a drain that waits; default: nobody. */
  readonly watch?: CallWatch | null | undefined
  /** Absent where the connection cannot start TLS. */
  readonly startTls?: StartTls | undefined
}

/** How far bytes are: in the writer's hands, in buffers that are small enough, with the kernel. */
export type SentUntil = 'accepted' | 'drained' | 'flushed'

export type SendOptions = WaitOptions & {
  /** What `send` waits for; default `drained`. */
  readonly until?: SentUntil | undefined
}

export type AbortOptions = {
  /** The peer is to see a break, and no end; default: false. */
  readonly reset?: boolean | undefined
}

/**
 * How TLS is started. `ca`, `cert`, `key`: PEM as text or bytes. Milliseconds: `timeoutMs` bounds the whole of it,
 * default 60,000.
 */
export type StartTlsOptions = WaitOptions & {
  /** Client side: asked for (SNI) and verified; default: the host that was dialled. */
  readonly servername?: string | undefined
  /** The only authorities to trust; default: the platform's. */
  readonly ca?: string | Uint8Array | undefined
  /** Required on the server side, with `key`. */
  readonly cert?: string | Uint8Array | undefined
  readonly key?: string | Uint8Array | undefined
  readonly alpn?: readonly string[] | undefined
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3' | undefined
  /** Server side: the client must show a certificate; default: false. */
  readonly requestCert?: boolean | undefined
}

/**
 * Starts TLS on the connection of a writer; resolves with what is known of it from then on. `flushed` keeps back
 * what is written from its call on, and resolves once what was written before has gone out in plain text.
 */
export type StartTls = (options: StartTlsOptions, flushed: () => Promise<void>) => Promise<ExtraInfo>

/** Each option read once, and what bounds the call judged; how TLS is spoken is judged where that is known. Errors: INVALID_REQUEST. */
export function judgedStartTls<Options extends StartTlsOptions>(options: Options): Options {
  const read = { ...optionsObject(options) }
  signalOption('signal', read.signal)
  return { ...read, timeoutMs: timeLimitOption('timeoutMs', read.timeoutMs) }
}

/** What a caller may write, as bytes: a string as UTF-8, bytes as they are. Errors: TypeError for anything else. */
export function toBytes(data: string | Uint8Array): Uint8Array {
  if (typeof data === 'string') return Buffer.from(data, 'utf8')
  if (data instanceof Uint8Array) return data
  throw typeFault(`data argument must be a string or a Uint8Array, not ${typeof data}`)
}
