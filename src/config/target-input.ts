/** What a library caller may write for a target; `normaliseTarget` makes a Target of it. */
import type { FrameInput } from '../frames/frame-input.ts'
import type { HostPort } from './address.ts'
import type { IdField, MultiplexSettings } from './multiplex.ts'
import type { Balance, BreakerSettings, PoolSettings, Reuse, TargetTls } from './target.ts'
import type { StepBytes, StepExpectation, TargetDialogModule } from './target-dialog.ts'

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

/** One step of a dialog. */
export type StepInput = {
  /** How long it may take; default: 5s. */
  readonly timeout?: DurationInput
  readonly timeoutMs?: number
  /** It is left out unless each of these captures has this text. */
  readonly when?: Readonly<Record<string, string>>
} & (
  | { readonly send: StepBytes }
  | { readonly expect: StepExpectation; readonly capture?: string }
  | { readonly tls: true | TlsInput }
  | { readonly wait: DurationInput }
  | { readonly waitMs: number }
)

export type DialogInput = readonly StepInput[]

type PresetOptions = {
  readonly redis: { readonly password?: string; readonly username?: string; readonly database?: number }
  readonly memcached: Readonly<Record<string, never>>
  readonly smtp: {
    readonly heloName?: string
    readonly starttls?: boolean
    readonly user?: string
    readonly password?: string
  }
  readonly 'postgres-ssl': Readonly<Record<string, never>>
  readonly nats: {
    readonly tls?: boolean
    readonly user?: string
    readonly password?: string
    readonly token?: string
  }
  readonly http1: Readonly<Record<string, never>>
  readonly mllp: Readonly<Record<string, never>>
  readonly modbus: Readonly<Record<string, never>>
}

/** A protocol by its name, or one of them with options. */
export type PresetInput =
  | keyof PresetOptions
  | { readonly [Name in keyof PresetOptions]: Readonly<Pick<PresetOptions, Name>> }[keyof PresetOptions]

export type MultiplexInput = Partial<Omit<MultiplexSettings, 'match' | 'orphanMs'>> & {
  /** Default: order. */
  readonly match?: 'order' | (Omit<IdField, 'endian'> & Partial<IdField>) | { readonly module: string }
  /** Default: 30s. */
  readonly orphanMs?: DurationInput
}

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
  /** What speaks this protocol needs; the target's own keys win over it. */
  readonly preset?: PresetInput
  readonly onConnect?: DialogInput | TargetDialogModule
  readonly probe?: DialogInput
  readonly onRelease?: DialogInput
  readonly frame?: FrameInput
  /** Many exchanges on one connection at once; default: off. */
  readonly multiplex?: MultiplexInput
  /** Default: clean where `frame` or `onRelease` is set, else never. */
  readonly reuse?: Reuse
  readonly leakDetection?: DurationInput
  readonly leakDetectionMs?: number
}
