/**
 * What happens in a pool, told in the very moment to whoever listens. Where nobody does, each place pays for one question.
 */
import { areChannelsHeard, publishNews } from './pool-channels.ts'

export const NEWS_KINDS = [
  'lease',
  'release',
  'connect',
  'close',
  'wait',
  'worker',
  'breaker',
  'verb',
  'reload',
] as const

export type NewsKind = (typeof NEWS_KINDS)[number]

export type NewsFacts = {
  /** Of the connection that it is about. */
  readonly connection?: string
  /** The id of the lease: a credential, which is to be shown to nobody. */
  readonly lease?: string
  /** What came of it, in one word. */
  readonly reason?: string
  /** Milliseconds that it took. */
  readonly ms?: number
  /** The id of the I/O worker that it is about. */
  readonly worker?: number
}

export type News = NewsFacts & {
  readonly kind: NewsKind
  /** The time of day, in milliseconds. */
  readonly atMs: number
  /** Null for what concerns no target. */
  readonly target: string | null
}

export class PoolNews {
  readonly #listeners = new Set<(news: News) => void>()

  /** Whether anybody listens: to be asked before news are put together. */
  get isHeard(): boolean {
    return this.#listeners.size > 0 || areChannelsHeard()
  }

  /** Calls the listener, which must not throw, with all news from now on; the result ends it. */
  listen(listener: (news: News) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  tell(kind: NewsKind, target: string | null, facts: NewsFacts = {}): void {
    if (!this.isHeard) return
    const news = { kind, atMs: Date.now(), target, ...facts }
    for (const listener of this.#listeners) listener(news)
    publishNews(news)
  }
}

/** The news of one target. */
export class TargetNews {
  readonly #news: PoolNews | undefined
  readonly #target: string

  constructor(news: PoolNews | undefined, target: string) {
    this.#news = news
    this.#target = target
  }

  get isHeard(): boolean {
    return this.#news?.isHeard ?? false
  }

  tell(kind: NewsKind, facts: NewsFacts): void {
    this.#news?.tell(kind, this.#target, facts)
  }
}
