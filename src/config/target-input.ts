/** What a library caller may write for a target; `normaliseTarget` makes a Target of it. */
import type { HostPort } from './address.ts'
import type {
  Balance,
  BreakerSettings,
  FrameSpec,
  LengthField,
  PoolSettings,
  Reuse,
  TargetTls,
  TextStep,
} from './target.ts'

/** A number of milliseconds, or text such as `30s`, `5m`, `250ms`. */
export type DurationInput = number | string

type PoolDuration =
  | 'idleTimeout'
  | 'maxLifetime'
  | 'waitTimeout'
  | 'leaseTtl'
  | 'connectTimeout'
  | 'probeAfter'
  | 'keepalive'

/** PEM as text or bytes. */
export type TlsInput = Omit<TargetTls, 'ca' | 'cert' | 'key'> & {
  readonly [Part in 'ca' | 'cert' | 'key']?: string | Uint8Array
}

/** Each duration under either of its names: `idleTimeout: '60s'` or `idleTimeoutMs: 60_000`. */
export type PoolInput = Partial<PoolSettings> & { readonly [Name in PoolDuration]?: DurationInput }

export type BreakerInput = Partial<BreakerSettings> & { readonly openFor?: DurationInput }

/** `host` and `port`, or `hosts`; all else has a default. */
export type TargetInput = {
  readonly host?: string
  readonly port?: number
  /** Each `HOST:PORT` or `{host, port}`. */
  readonly hosts?: readonly (string | HostPort)[]
  /** Which of the hosts is dialled first; default: each in turn. */
  readonly balance?: Balance
  /** Default: false. */
  readonly tls?: boolean | TlsInput
  readonly pool?: PoolInput
  /** Default: true, which is `{ failures: 5, openFor: '10s' }`. */
  readonly breaker?: boolean | BreakerInput
  readonly onConnect?: readonly TextStep[]
  readonly probe?: readonly TextStep[]
  readonly onRelease?: readonly TextStep[]
  readonly frame?: Exclude<FrameSpec, object> | { readonly lengthField: Partial<LengthField> }
  /** Default: clean where `frame` or `onRelease` is set, else never. */
  readonly reuse?: Reuse
  readonly leakDetection?: DurationInput
  readonly leakDetectionMs?: number
}
