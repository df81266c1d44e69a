/**
 * The figures that the page shows, and how it stands with the service that they come from. Figures are asked for in rounds; events
 * tell when something is new, and how long waits and leases were. A hidden tab asks for nothing.
 */
import { batch, type Signal, signal } from '@preact/signals'
import type { AccessToken } from './access-token.ts'
import type { ServiceEvent } from './event-lines.ts'
import { EventTail, type TailState } from './event-tail.ts'
import type {
  ConnectionFigures,
  ConnectionStory,
  LeaseFigures,
  ServiceFigures,
  TargetFigures,
  WorkerFigures,
} from './figures.ts'
import { type FleetLook, lookAtFleet } from './fleet-look.ts'
import { Histories } from './histories.ts'
import { Rounds } from './rounds.ts'
import { isAbort, type ServiceApi } from './service-api.ts'
import { ServiceProblem } from './service-problem.ts'

/** How it stands with the service. */
export type ServiceLink =
  | { readonly kind: 'starting' }
  /** It wants a token; `isWrong`: the one that was given is not known. */
  | { readonly kind: 'locked'; readonly isWrong: boolean }
  | { readonly kind: 'live' }
  /** It takes no new leases and will end. */
  | { readonly kind: 'draining' }
  | { readonly kind: 'lost'; readonly problem: ServiceProblem; readonly againMs: number }

/** What the token may see and do: an admin all, others what is their own. */
export type TokenRights = 'unknown' | 'admin' | 'own'

/** What a view wants beside what every view shows. */
export type Wants = {
  readonly listings: readonly ('connections' | 'leases' | 'workers')[]
  /** The connection whose last operations are shown. */
  readonly story: string | null
}

export type Story =
  | { readonly kind: 'none' }
  | { readonly kind: 'there'; readonly story: ConnectionStory }
  /** With what was known of it last. */
  | { readonly kind: 'failed'; readonly problem: ServiceProblem; readonly story: ConnectionStory | null }

/** Milliseconds until a service that is gone is looked for again: doubling. */
const AGAIN_FIRST_MS = 1_000
const AGAIN_MAX_MS = 10_000

export type LiveDeps = {
  readonly api: Pick<ServiceApi, 'look' | 'open'>
  readonly token: Pick<AccessToken, 'value'>
  /** Something happened that a person should hear of. */
  readonly tell: (event: ServiceEvent) => void
}

export class LiveFigures {
  readonly link: Signal<ServiceLink> = signal({ kind: 'starting' })
  readonly rights: Signal<TokenRights> = signal('unknown')
  readonly service: Signal<ServiceFigures | null> = signal(null)
  readonly targets: Signal<readonly TargetFigures[] | null> = signal(null)
  readonly connections: Signal<readonly ConnectionFigures[] | null> = signal(null)
  readonly leases: Signal<readonly LeaseFigures[] | null> = signal(null)
  readonly workers: Signal<readonly WorkerFigures[] | null> = signal(null)
  readonly story: Signal<Story> = signal({ kind: 'none' })
  readonly fleet: Signal<FleetLook> = signal({ kind: 'unknown' })
  /** Counts rounds: the histories, which are no signals, are new with each. */
  readonly round: Signal<number> = signal(0)
  histories: Histories = new Histories()
  readonly #deps: LiveDeps
  readonly #rounds = new Rounds(() => this.#look())
  readonly #tail: EventTail
  #wants: Wants = { listings: [], story: null }
  #controller = new AbortController()
  #failures = 0

  constructor(deps: LiveDeps) {
    this.#deps = deps
    this.#tail = new EventTail({
      api: deps.api,
      hear: event => this.#hear(event),
      turn: state => this.#turn(state),
    })
  }

  /** Begins, or goes on; while a token is awaited there is nothing to ask for. */
  start(): void {
    if (this.link.value.kind === 'locked') return
    if (this.#controller.signal.aborted) this.#controller = new AbortController()
    this.#rounds.start()
    if (this.link.value.kind === 'live') this.#follow()
  }

  /** The page is hidden. */
  stop(): void {
    this.#controller.abort()
    this.#rounds.stop()
    this.#tail.stop()
  }

  /** With another token all that was seen is forgotten. */
  restart(): void {
    this.stop()
    batch(() => {
      this.link.value = { kind: 'starting' }
      this.rights.value = 'unknown'
      for (const figures of [this.service, this.targets, this.connections, this.leases, this.workers])
        figures.value = null
      this.story.value = { kind: 'none' }
      this.fleet.value = { kind: 'unknown' }
    })
    this.histories = new Histories()
    this.#failures = 0
    this.start()
  }

  want(wants: Wants): void {
    if (wants.story !== this.#wants.story) this.story.value = { kind: 'none' }
    this.#wants = wants
    this.#rounds.now()
  }

  /** Something was done that will show. */
  hurry(): void {
    this.#rounds.hurry()
  }

  /** Looks for a service that is gone, now. */
  retry(): void {
    this.#rounds.now()
  }

  async #look(): Promise<number | null> {
    const { signal } = this.#controller
    try {
      await this.#lookAt(signal)
      this.#failures = 0
      return null
    } catch (error) {
      if (signal.aborted || isAbort(error)) return null
      return this.#failed(ServiceProblem.of(error))
    }
  }

  async #lookAt(signal: AbortSignal): Promise<void> {
    const { api } = this.#deps
    const { listings, story } = this.#wants
    const wanted = async <T>(name: Wants['listings'][number]): Promise<T | null> =>
      listings.includes(name)
        ? ((await api.look<Record<string, T>>(`/v1/${name}`, signal))[name] ?? null)
        : null
    const [service, { targets }, connections, leases, workers, told, fleet] = await Promise.all([
      api.look<ServiceFigures>('/v1/stats', signal),
      api.look<{ targets: TargetFigures[] }>('/v1/targets', signal),
      wanted<ConnectionFigures[]>('connections'),
      wanted<LeaseFigures[]>('leases'),
      wanted<WorkerFigures[]>('workers'),
      story === null ? null : this.#lookAtStory(story, signal),
      this.rights.value === 'admin' ? lookAtFleet(api, this.fleet.value, signal) : this.fleet.value,
    ])
    this.histories.round(service, targets, Date.now())
    batch(() => {
      this.service.value = service
      this.targets.value = targets
      this.connections.value = connections ?? this.connections.value
      this.leases.value = leases ?? this.leases.value
      this.workers.value = workers ?? this.workers.value
      if (told !== null && story === this.#wants.story) this.story.value = told
      this.fleet.value = fleet
      if (this.link.value.kind !== 'draining') this.link.value = { kind: 'live' }
      this.round.value++
    })
    this.#follow()
  }

  async #lookAtStory(id: string, signal: AbortSignal): Promise<Story> {
    const before = this.story.value
    try {
      const path = `/v1/connections/${encodeURIComponent(id)}`
      return { kind: 'there', story: await this.#deps.api.look<ConnectionStory>(path, signal) }
    } catch (error) {
      const problem = ServiceProblem.of(error)
      if (isAbort(error) || (problem.status !== 403 && problem.status !== 404)) throw error
      return { kind: 'failed', problem, story: before.kind === 'none' ? null : before.story }
    }
  }

  /** How long until the next look. */
  #failed(problem: ServiceProblem): number {
    this.#tail.stop()
    if (problem.status === 401) {
      this.#rounds.stop()
      this.link.value = { kind: 'locked', isWrong: this.#deps.token.value !== null }
      return 0
    }
    const againMs = Math.min(AGAIN_MAX_MS, problem.retryAfterMs ?? AGAIN_FIRST_MS * 2 ** this.#failures)
    this.#failures++
    // Whoever answers there next may be of a fleet.
    if (this.fleet.value.kind === 'alone') this.fleet.value = { kind: 'unknown' }
    this.link.value = { kind: 'lost', problem, againMs }
    return againMs
  }

  #follow(): void {
    if (this.rights.value !== 'own') this.#tail.start()
  }

  #turn(state: TailState): void {
    switch (state) {
      case 'open':
      case 'denied':
        this.rights.value = state === 'open' ? 'admin' : 'own'
        // An admin may see more than was asked for so far.
        this.#rounds.hurry()
        // A service that drains says so instead.
        if (this.link.value.kind === 'draining') this.link.value = { kind: 'live' }
        return
      case 'ended':
        this.link.value = { kind: 'draining' }
        return
      case 'broken':
        return this.#rounds.hurry()
      default:
        state satisfies never
    }
  }

  #hear(event: ServiceEvent): void {
    this.histories.happened(event, Date.now())
    this.#deps.tell(event)
    this.#rounds.hurry()
  }
}
