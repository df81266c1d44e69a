/**
 * The configuration that runs, and how it becomes another one: read anew from its sources, judged whole, and then applied in
 * one step of the thread. Where anything is wrong nothing changes.
 */
import type { Logger } from 'pino'
import { errorText } from '../base/error-text.ts'
import { SockpoolError } from '../base/errors.ts'
import type { Config, Token } from '../config/config.ts'
import { configChange } from '../config/config-change.ts'
import { ConfigError } from '../config/config-error.ts'
import type { Target } from '../config/target.ts'
import { ListenRules } from '../egress/listen-rules.ts'
import { type DoorRules, tokensAllow } from '../http/door/live-door.ts'
import type { ReloadReport } from '../http/ports.ts'
import { isForwardTenant } from '../pool/forward/forward-spec.ts'
import type { Pool } from '../pool/pool.ts'
import { announcedTargets } from './announced-targets.ts'

/** What a new configuration changes of the HTTP side. */
export type ServedRules = DoorRules & Pick<Config['http'], 'accessLog'>

/** What a new configuration holds for, beside the pool. */
export type ServedParts = {
  readonly door: { replace(rules: ServedRules): void }
  readonly forwards: { replace(forwards: Config['forwards']): void }
  /** Has the listener show another certificate. Errors: the system's, and it shows the one that it had. */
  readonly setTls: (tls: NonNullable<Config['http']['tls']>) => void
}

export type LiveConfigDeps = {
  readonly config: Config
  /** Its rules of where callers may listen. */
  readonly listenRules: ListenRules
  /** The configuration as its sources say it now. Errors: ConfigError. */
  readonly reread: () => Config
  /** The token that was made at the start; null where tokens were configured, or none is asked for. */
  readonly made: Token | null
  /** What the service adds to the named targets. */
  readonly targets: Readonly<Record<string, Target>>
  readonly pool: Pick<Pool, 'reload'>
  readonly log: Logger
}

export class LiveConfig {
  readonly #deps: LiveConfigDeps
  #config: Config
  #listenRules: ListenRules
  #parts: ServedParts | null = null

  constructor(deps: LiveConfigDeps) {
    this.#deps = deps
    this.#config = deps.config
    this.#listenRules = deps.listenRules
  }

  /** What holds now. */
  get config(): Config {
    return this.#config
  }

  /** Where callers may listen. */
  get listenRules(): ListenRules {
    return this.#listenRules
  }

  get auth(): Config['auth'] {
    return this.#authOf(this.#config)
  }

  get targets(): Readonly<Record<string, Target>> {
    return this.#targetsOf(this.#config)
  }

  /** The service serves: from now on there is something to tell anew. */
  serves(parts: ServedParts): void {
    this.#parts = parts
  }

  /** Reads it anew and has it hold, and logs what came of that. Errors: INVALID_REQUEST with every fault, DRAINING. */
  reload(): ReloadReport {
    const { log } = this.#deps
    try {
      const report = this.#reload()
      log.info(report, 'the configuration was read anew and holds')
      return report
    } catch (error) {
      const refusal = asRefusal(error)
      const { errors } = refusal
      log.error(errors === undefined ? { err: refusal } : { errors }, 'the configuration stays as it was')
      throw refusal
    }
  }

  #reload(): ReloadReport {
    if (this.#parts === null) throw new SockpoolError('NOT_READY', 'the service does not serve yet')
    const { config, ignored, targets, tokens, forwards } = configChange(this.#config, this.#deps.reread())
    this.#checkTokens(config)
    const result = this.#apply(config, this.#parts)
    this.#config = config
    return { targets, tokens, forwards, ...result, ignored }
  }

  #apply(config: Config, { door, forwards, setTls }: ServedParts): ReturnType<Pool['reload']> {
    const { http, egress, ingress, limits } = config
    const listenRules = new ListenRules(ingress.listen)
    const auth = this.#authOf(config)
    const before = this.#config.http.tls
    if (http.tls !== null) showTls(setTls, http.tls)
    try {
      const result = this.#deps.pool.reload({
        targets: this.#targetsOf(config),
        egress,
        limits: { leases: limits.leases, waiters: limits.waiters },
        // What clients of a forward hold goes on, whatever becomes of the forward.
        mayUse: (tenant, target) => isForwardTenant(tenant) || tokensAllow(auth, tenant, target),
        mayListen: (tenant, place) => tokensAllow(auth, tenant, null) && listenRules.admits(place) !== null,
      })
      this.#listenRules = listenRules
      const { hosts, origins, accessLog } = http
      door.replace({ auth, hosts, origins, accessLog })
      forwards.replace(config.forwards)
      return result
    } catch (error) {
      if (before !== null) setTls(before)
      throw error
    }
  }

  /** A token is made where somebody is there to read it. */
  #checkTokens({ auth }: Config): void {
    if (auth === null || auth.tokens.length > 0 || this.#deps.made !== null) return
    const message = 'must not be empty: a token is made at the start alone'
    throw new ConfigError([{ path: 'auth.tokens', message }])
  }

  #authOf({ auth }: Config): Config['auth'] {
    const { made } = this.#deps
    return auth?.tokens.length === 0 && made !== null ? { tokens: [made] } : auth
  }

  #targetsOf({ targets, forwards }: Config): Readonly<Record<string, Target>> {
    return announcedTargets({ ...this.#deps.targets, ...targets }, forwards)
  }
}

function showTls(setTls: ServedParts['setTls'], tls: NonNullable<Config['http']['tls']>): void {
  try {
    setTls(tls)
  } catch (error) {
    const message = `the certificate or its key cannot be used: ${errorText(error)}`
    throw new ConfigError([{ path: 'http.tls', message }])
  }
}

/** Faults of the configuration as the caller of the API reads them. */
function asRefusal(error: unknown): SockpoolError {
  if (!(error instanceof ConfigError)) return SockpoolError.from(error)
  const errors = error.errors.map(({ path, message }) => ({ path, message }))
  return new SockpoolError('INVALID_REQUEST', error.message, { errors, cause: error })
}
