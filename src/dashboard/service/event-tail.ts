/**
 * Follows `/v1/events` for as long as it is told to, and comes again where the answer breaks off. The stream is read with fetch, as
 * an EventSource cannot send a token.
 */
import { EventLines, type ServiceEvent } from './event-lines.ts'
import { pause } from './pause.ts'
import { isAbort, type ServiceApi } from './service-api.ts'
import { ServiceProblem } from './service-problem.ts'

/** Milliseconds until it comes again. */
const AGAIN_MS = 2_000
/** Milliseconds of silence after which nobody is there: the service sends something every 15 s. */
const SILENCE_MS = 40_000

/** How it goes: `denied` is for good, with this token. */
export type TailState = 'open' | 'ended' | 'broken' | 'denied'

export type TailDeps = {
  readonly api: Pick<ServiceApi, 'open'>
  readonly hear: (event: ServiceEvent) => void
  readonly turn: (state: TailState) => void
}

export class EventTail {
  readonly #deps: TailDeps
  #controller: AbortController | null = null
  #lastId: string | null = null

  constructor(deps: TailDeps) {
    this.#deps = deps
  }

  /** Does nothing where it follows already. */
  start(): void {
    if (this.#controller !== null) return
    this.#controller = new AbortController()
    void this.#run(this.#controller.signal)
  }

  stop(): void {
    this.#controller?.abort()
    this.#controller = null
  }

  /** Never rejects. */
  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const state = await this.#follow(signal)
      if (signal.aborted) return
      this.#deps.turn(state)
      if (state === 'denied') return
      await pause(AGAIN_MS, signal)
    }
  }

  async #follow(signal: AbortSignal): Promise<TailState> {
    const silence = new Silence(SILENCE_MS)
    const bounded = AbortSignal.any([signal, silence.signal])
    try {
      const resumed = this.#lastId === null ? {} : { 'last-event-id': this.#lastId }
      const headers = { accept: 'text/event-stream', ...resumed }
      const answer = await this.#deps.api.open('/v1/events', headers, bounded)
      this.#deps.turn('open')
      return await this.#read(answer, silence)
    } catch (error) {
      if (isAbort(error)) return 'broken'
      const { status, code } = ServiceProblem.of(error)
      if (status === 403) return 'denied'
      return code === 'draining' ? 'ended' : 'broken'
    } finally {
      silence.end()
    }
  }

  async #read(answer: Response, silence: Silence): Promise<TailState> {
    if (answer.body === null) return 'broken'
    const lines = new EventLines()
    let isOver = false
    for (const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader(); ; ) {
      const { done, value } = await reader.read()
      if (done) return isOver ? 'ended' : 'broken'
      silence.heard()
      for (const event of lines.feed(value)) {
        this.#lastId = event.id ?? this.#lastId
        isOver ||= event.kind === 'end'
        this.#deps.hear(event)
      }
    }
  }
}

/** Fires when nothing was heard for so long. */
class Silence {
  readonly #controller = new AbortController()
  readonly #ms: number
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(ms: number) {
    this.#ms = ms
    this.heard()
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  heard(): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#controller.abort(), this.#ms)
  }

  end(): void {
    clearTimeout(this.#timer)
  }
}
