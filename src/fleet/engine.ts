/**
 * The engine, as this instance reaches it: scripts with a deadline, and what others publish. It is away while there is no
 * connection, and everything that is asked meanwhile fails at once: nothing is queued that would be said too late.
 */
import { errorText } from '../base/error-text.ts'
import { LIMITS } from '../base/limits.ts'
import { timerMs } from '../base/timer.ts'
import type { EngineClient, MakeEngineClient } from './engine-client.ts'
import type { Script } from './script.ts'

/** All keys lie in one slot of a cluster, for the tag in braces. */
const PREFIX = 'sockpool:{fleet}:'
/** Where news are published; scripts are told of it. */
export const CHANNEL: string = `${PREFIX}news`

/** What asks the engine. */
export interface EngineAsk {
  /** The answer as it came, which is to be checked. Errors: an Error where there is none in time, or it is one. */
  ask(script: Script, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown>
}

export type EngineEvents = {
  /** It is there, or there again. */
  readonly onBack: () => void
  readonly onAway: (reason: string) => void
  /** What somebody published, this instance among them. */
  readonly onNews: (text: string) => void
}

type EngineState =
  /** `reason`: what was last wrong. */
  | { readonly kind: 'away'; readonly reason: string }
  | { readonly kind: 'there' }
  | { readonly kind: 'closed' }

export class Engine implements EngineAsk {
  readonly #client: EngineClient
  readonly #ear: EngineClient
  readonly #events: EngineEvents
  readonly #defined = new Map<string, Script>()
  #state: EngineState = { kind: 'away', reason: 'not connected yet' }
  /** Since when nothing was answered that was asked (monotonic): a connection alone is no answer. */
  #failingSinceMs: number | null = null

  constructor(Client: MakeEngineClient, url: string, events: EngineEvents) {
    this.#events = events
    const options = optionsOf(() => this.#retryMs())
    this.#client = new Client(url, options)
    this.#ear = new Client(url, options)
    this.#client.on('ready', () => this.#move({ kind: 'there' }))
    this.#client.on('close', () => this.#lost())
    this.#client.on('error', error => {
      // One that ends a connection is followed by its close; another one is of no command of ours.
      if (this.#client.status !== 'ready') this.#noted(error)
    })
    // Only words that were not heard: whoever polls hears them later.
    this.#ear.on('error', () => {})
    this.#ear.on('ready', () => void this.#listen())
    this.#ear.on('message', (_channel, text) => this.#heard(text))
  }

  get isAway(): boolean {
    return this.#state.kind !== 'there'
  }

  /** Why it is away; empty while it is there. */
  get reason(): string {
    return this.#state.kind === 'away' ? this.#state.reason : ''
  }

  /** Begins to reach it, and goes on until it is closed. Resolves after the first attempt, or its time. */
  async open(): Promise<void> {
    // What fails is told by events, and is tried again.
    const attempts = [this.#client, this.#ear].map(client => client.connect().catch(() => {}))
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, LIMITS.fleetStartMs)
    void Promise.all(attempts).then(() => resolve())
    await promise
    clearTimeout(timer)
  }

  async ask(script: Script, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
    if (this.isAway) throw new Error(`the engine is away: ${this.reason}`)
    const command = this.#commandOf(script)
    try {
      const answer = await command.call(this.#client, ...keys.map(key => PREFIX + key), ...args)
      this.#failingSinceMs = null
      return answer
    } catch (error) {
      // What is silent may be a connection that leads nowhere any more, of which TCP would tell in many minutes.
      if (errorText(error) === TIMED_OUT && !this.isAway) {
        this.#noted(new Error(`no answer within ${LIMITS.fleetAnswerMs} ms`))
        this.#client.disconnect(true)
        this.#ear.disconnect(true)
      }
      throw error
    }
  }

  close(): void {
    this.#move({ kind: 'closed' })
    this.#client.disconnect()
    this.#ear.disconnect()
  }

  #commandOf(script: Script): (...words: readonly (string | number)[]) => Promise<unknown> {
    if (!this.#defined.has(script.name)) {
      this.#client.defineCommand(script.name, { numberOfKeys: script.keys, lua: script.lua })
      this.#defined.set(script.name, script)
    }
    const command: unknown = Reflect.get(this.#client, script.name)
    if (typeof command !== 'function') throw new Error(`the client has not taken the script ${script.name}`)
    return command as (...words: readonly (string | number)[]) => Promise<unknown>
  }

  /** As long again as nothing was answered, however often it was reached meanwhile. */
  #retryMs(): number {
    const now = performance.now()
    this.#failingSinceMs ??= now
    const doubledMs = Math.max(LIMITS.fleetRetryFirstMs, now - this.#failingSinceMs)
    return timerMs(Math.min(doubledMs, LIMITS.fleetRetryLastMs) * (0.5 + Math.random() / 2))
  }

  #lost(): void {
    const { reason } = this
    if (this.#state.kind !== 'closed')
      this.#move({ kind: 'away', reason: reason === '' ? 'the connection was lost' : reason })
  }

  #noted(error: unknown): void {
    if (this.#state.kind !== 'closed') this.#move({ kind: 'away', reason: errorText(error) })
  }

  #move(next: EngineState): void {
    const before = this.#state
    if (before.kind === 'closed') return
    this.#state = next
    if (next.kind === 'there') this.#events.onBack()
    if (next.kind === 'away' && before.kind === 'there') this.#events.onAway(next.reason)
  }

  async #listen(): Promise<void> {
    // Where that fails its connection has, and it is asked for again with the next one.
    await this.#ear.subscribe(CHANNEL).catch(() => {})
  }

  #heard(text: string): void {
    if (this.#state.kind !== 'closed') this.#events.onNews(text)
  }
}

/** What both packages say when an answer is late. */
const TIMED_OUT = 'Command timed out'

function optionsOf(retryMs: () => number): object {
  return {
    lazyConnect: true,
    connectTimeout: LIMITS.fleetAnswerMs,
    maxLoadingRetryTime: LIMITS.fleetLoadingMs,
    commandTimeout: LIMITS.fleetAnswerMs,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    autoResubscribe: false,
    // Keep-alive probes of TCP; a silent engine is found by its answers.
    keepAlive: LIMITS.keepAliveDelayMs,
    retryStrategy: retryMs,
    // A replica that was the primary: the name may lead to the new one.
    reconnectOnError: (error: Error) => /^(READONLY|LOADING|MASTERDOWN)\b/.test(error.message),
  }
}
