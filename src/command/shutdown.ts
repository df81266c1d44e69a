/**
 * How `serve` ends, and which signals it takes. Only signals that mean something here have a handler: a handler for a
 * native fault (SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT) would return to the faulty instruction, over and over.
 *
 *   serving ──► draining ──► exit 0
 *      │            └──► exit 1: a second signal, a second fault, or the time is up
 *      └ SIGTERM, SIGINT, the end of the npm that started it; a fault, or another start under its name in the
 *        fleet (then exit 1 at the end, and a signal that follows is the first)
 */
import type { Logger } from 'pino'
import type { LogSink } from '../base/log-sink.ts'

export type ShutdownDeps = {
  /** Drains and closes the service. */
  readonly close: () => Promise<void>
  /** Leases that are held now. */
  readonly leases: () => number
  /** Milliseconds that `close` waits for held leases, and how many more until it has failed. */
  readonly drainMs: () => number
  readonly closeMarginMs: number
  /** Reads the configuration anew; it logs what came of that, and never throws. */
  readonly reload: () => void
  /** Milliseconds after the first signal in which one equal signal is its echo; 0: each is one of its own. */
  readonly echoMs: number
  readonly log: Logger
  readonly sink: Pick<LogSink, 'flushed'>
}

/** What asked for the end. */
type Cause =
  | { readonly kind: 'signal'; readonly signal: NodeJS.Signals }
  | { readonly kind: 'parent' }
  /** Another start has taken the name of this instance. */
  | { readonly kind: 'replaced' }
  | { readonly kind: 'fault'; readonly error: unknown }

type State =
  | { readonly kind: 'serving' }
  /** `echoUntilMs`: until when one equal signal is the echo of the first; 0 from the time that it was heard. */
  | { readonly kind: 'draining'; readonly cause: Cause; readonly echoUntilMs: number }

const ENDING = ['SIGTERM', 'SIGINT'] as const
/** Without a handler the first would end the process, and SIGUSR1 would open a debugger to every local user. */
const IGNORED = {
  SIGUSR2: 'SIGUSR2 is ignored: it means nothing here',
  SIGUSR1: 'SIGUSR1 is ignored: this process opens no debugger; start node with --inspect for one',
} as const

export class Shutdown {
  readonly #deps: ShutdownDeps
  #state: State = { kind: 'serving' }

  private constructor(deps: ShutdownDeps) {
    this.#deps = deps
  }

  /** Takes the signals and the uncaught faults of this process from now on. */
  static install(deps: ShutdownDeps): Shutdown {
    const shutdown = new Shutdown(deps)
    for (const signal of ENDING) process.on(signal, () => shutdown.begin({ kind: 'signal', signal }))
    for (const [signal, text] of Object.entries(IGNORED))
      process.on(signal, () => deps.log.warn({ signal }, text))
    process.on('SIGHUP', () => deps.reload())
    for (const event of ['uncaughtException', 'unhandledRejection'] as const)
      process.on(event, (error: unknown) => shutdown.begin({ kind: 'fault', error }))
    return shutdown
  }

  /** Begins to end the process; while it ends already, ends it at once. */
  begin(cause: Cause): void {
    const { log } = this.#deps
    if (this.#state.kind === 'draining') {
      // npm ends of the same signal.
      if (cause.kind === 'parent' || cause.kind === 'replaced') return
      if (isEcho(cause, this.#state)) {
        this.#state = { ...this.#state, echoUntilMs: 0 }
        return
      }
      if (cause.kind === 'signal' && this.#state.cause.kind === 'replaced') {
        // Nobody has sent one before, and whoever sends it wants no more than what is under way.
        this.#state = this.#draining(cause)
        log.warn(cause, `draining already; send ${cause.signal} again to stop at once`)
        return
      }
      if (cause.kind === 'fault') log.fatal({ err: cause.error }, 'a second fault, exiting now')
      else log.warn(cause, 'second signal, exiting now')
      // What the log's reader takes at once it has; nothing else is worth a wait.
      process.exit(1)
    }
    this.#state = this.#draining(cause)
    this.#announce(cause)
    void this.#end(cause)
  }

  #draining(cause: Cause): State {
    return { kind: 'draining', cause, echoUntilMs: performance.now() + this.#deps.echoMs }
  }

  #announce(cause: Cause): void {
    const { log, leases, drainMs } = this.#deps
    const held = leases()
    const waitMs = drainMs()
    const seconds = Math.ceil(waitMs / 1_000)
    switch (cause.kind) {
      case 'fault':
        return log.fatal({ err: cause.error }, 'a fault ends the service')
      case 'parent':
        return log.warn({ leases: held }, 'the npm that started this service has ended, draining')
      case 'replaced':
        return log.error({ leases: held, waitMs }, 'another start has the name of this instance, draining')
      case 'signal': {
        const { signal } = cause
        if (held === 0) return log.info({ signal }, 'draining')
        return log.warn(
          { signal, leases: held, waitMs },
          `draining: waiting up to ${seconds} s for ${held} held ${held === 1 ? 'lease' : 'leases'} to be released; send ${signal} again (Ctrl-C in a terminal) to stop at once`,
        )
      }
      default:
        cause satisfies never
    }
  }

  async #end(cause: Cause): Promise<void> {
    const { close, drainMs, closeMarginMs, log, sink } = this.#deps
    const closeMs = drainMs() + closeMarginMs
    const late = setTimeout(() => {
      log.error({ waitedMs: closeMs }, 'gave up closing')
      void sink.flushed().then(() => process.exit(1))
    }, closeMs)
    let code = cause.kind === 'fault' || cause.kind === 'replaced' ? 1 : 0
    try {
      await close()
    } catch (error) {
      code = 1
      log.error({ err: error }, 'closing failed')
    }
    clearTimeout(late)
    await sink.flushed()
    process.exit(code)
  }
}

function isEcho(cause: Cause, { cause: first, echoUntilMs }: Extract<State, { kind: 'draining' }>): boolean {
  const isEqual = cause.kind === 'signal' && first.kind === 'signal' && cause.signal === first.signal
  return isEqual && performance.now() < echoUntilMs
}
