/** `top`: a live screen of a running service; on a pipe one frame. */
import { setTimeout as sleep } from 'node:timers/promises'
import { errorText } from '../base/error-text.ts'
import { formatDuration } from '../config/units.ts'
import { CommandError } from './command-error.ts'
import { type ServiceFlags, serviceUrl } from './service-call.ts'
import { lookAtService, type ServiceLook } from './service-look.ts'
import { ServiceRefused } from './service-refused.ts'
import { print, type Streams } from './streams.ts'
import { paintFor } from './terminal/paint.ts'
import { Screen } from './terminal/screen.ts'
import { terminalSize } from './terminal/size.ts'
import { TOP_ORDERS, type TopView, topFrame } from './top-frame.ts'

export type TopFlags = ServiceFlags & {
  /** Milliseconds between two looks. */
  readonly interval: number
}

/**
 * Returns when `q`, Ctrl-C or a signal ends it. A service that goes away is waited for.
 *
 * Errors: ServiceRefused where the service will not show it; on a pipe CommandError with exit code 1 where none answers.
 */
export async function top(
  { interval, url = serviceUrl(), ...given }: TopFlags,
  streams: Streams,
): Promise<void> {
  const flags = { ...given, url }
  const view: TopView = {
    place: placeOf(url),
    look: null,
    before: null,
    fault: null,
    order: 'name',
    scroll: 0,
  }
  if (terminalSize(streams.stdout) !== null) return await new LiveTop(view, flags, interval, streams).run()
  const before = await lookAtService(flags)
  await sleep(interval)
  const { lines } = topFrame(
    { ...view, before, look: await lookAtService(flags) },
    { size: null, paint: paintFor(streams.stdout) },
  )
  await print(streams.stdout, `${lines.join('\n')}\n`)
}

/** Without what of it is a password. */
function placeOf(url: string): string {
  return URL.canParse(url) && /^https?:/.test(url) ? new URL(url).origin : url
}

type KeyAction = 'leave' | 'sort' | 'up' | 'down'

const KEYS: ReadonlyMap<string, KeyAction> = new Map([
  ['q', 'leave'],
  ['Q', 'leave'],
  ['\x03', 'leave'],
  ['s', 'sort'],
  ['\x1b[A', 'up'],
  ['\x1bOA', 'up'],
  ['k', 'up'],
  ['\x1b[B', 'down'],
  ['\x1bOB', 'down'],
  ['j', 'down'],
])

class LiveTop {
  #view: TopView
  readonly #flags: ServiceFlags
  readonly #intervalMs: number
  readonly #streams: Streams
  readonly #leaving = new AbortController()

  constructor(view: TopView, flags: ServiceFlags, intervalMs: number, streams: Streams) {
    this.#view = view
    this.#flags = flags
    this.#intervalMs = intervalMs
    this.#streams = streams
  }

  async run(): Promise<void> {
    const { stdin, stdout } = this.#streams
    const screen = Screen.open(stdin, stdout, {
      onKey: key => this.#press(key, screen),
      onResize: () => this.#draw(screen),
      onLeave: () => this.#leaving.abort(),
    })
    const { signal } = this.#leaving
    try {
      this.#draw(screen)
      while (!signal.aborted) {
        this.#see(await this.#look())
        this.#draw(screen)
        // Ends at once where it is left.
        await sleep(this.#intervalMs, undefined, { signal }).catch(() => {})
      }
    } finally {
      screen[Symbol.dispose]()
    }
  }

  /** A service that does not answer is no end. Errors: ServiceRefused where it answers, and will go on to refuse. */
  async #look(): Promise<ServiceLook | CommandError> {
    try {
      return await lookAtService(this.#flags, this.#leaving.signal)
    } catch (error) {
      const isFinal = error instanceof ServiceRefused ? !error.isPassing : !isUnreachable(error)
      if (isFinal && !this.#leaving.signal.aborted) throw error
      return error instanceof CommandError ? error : new CommandError(1, errorText(error))
    }
  }

  #see(seen: ServiceLook | CommandError): void {
    if (seen instanceof CommandError) {
      const [reason = ''] = seen.message.split('\n')
      const again = `asking again every ${formatDuration(this.#intervalMs)}`
      this.#view = { ...this.#view, fault: `${reason}; ${again}` }
    } else this.#view = { ...this.#view, look: seen, before: this.#view.look, fault: null }
  }

  #press(key: string, screen: Screen): void {
    const action = KEYS.get(key)
    if (action === undefined) return
    this.#view = this.#after(action)
    this.#draw(screen)
  }

  #after(action: KeyAction): TopView {
    const view = this.#view
    switch (action) {
      case 'leave':
        this.#leaving.abort()
        return view
      case 'sort': {
        const next = (TOP_ORDERS.indexOf(view.order) + 1) % TOP_ORDERS.length
        return { ...view, order: TOP_ORDERS[next] ?? 'name', scroll: 0 }
      }
      case 'up':
        return { ...view, scroll: Math.max(0, view.scroll - 1) }
      case 'down':
        return { ...view, scroll: view.scroll + 1 }
      default:
        return action satisfies never
    }
  }

  /** What a key has scrolled beyond the end is forgotten here, where it is known how much fits. */
  #draw(screen: Screen): void {
    const { stdout } = this.#streams
    const size = terminalSize(stdout)
    if (size === null) return
    const { lines, scroll } = topFrame(this.#view, { size, paint: paintFor(stdout) })
    this.#view = { ...this.#view, scroll }
    screen.draw(lines)
  }
}

/** The connection failed, or took too long; with exit code 2 the flags mean nothing, and will not. */
function isUnreachable(error: unknown): boolean {
  return error instanceof CommandError && error.exitCode === 1
}
