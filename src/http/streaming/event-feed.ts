/**
 * The news of the pool as events, numbered, for all who follow them. It listens while somebody does, and a while longer: who
 * comes again within that gets what it has missed. Ids name the start of the service, as its numbers begin anew with it.
 */

import { LIMITS } from '../../base/limits.ts'
import type { News, PoolNews } from '../../pool/target/pool-news.ts'
import { leaseHash } from '../door/request-log.ts'
import { eventText } from './event-text.ts'

/** One who follows: hears each event as its text. */
export type FeedFollower = (text: string) => void

type Kept = { readonly number: number; readonly text: string }

export class EventFeed {
  readonly #news: Pick<PoolNews, 'listen'>
  readonly #start = Date.now().toString(36)
  readonly #followers = new Set<FeedFollower>()
  /** The latest, by their number modulo the size. */
  readonly #kept: Kept[] = []
  #count = 0
  #unlisten: (() => void) | null = null
  #rest: NodeJS.Timeout | null = null

  constructor(news: Pick<PoolNews, 'listen'>) {
    this.#news = news
  }

  /**
   * Has all events from now on, and first those behind `lastId` that are kept; `onMissed` hears how many are not. The result
   * ends it.
   */
  follow(lastId: string | null, follower: FeedFollower, onMissed: (count: number) => void): () => void {
    if (this.#rest) clearTimeout(this.#rest)
    this.#rest = null
    this.#unlisten ??= this.#news.listen(news => this.#happened(news))
    const seen = lastId === null ? null : this.#numberOf(lastId)
    if (seen !== null) this.#replay(seen, follower, onMissed)
    this.#followers.add(follower)
    return () => this.#leave(follower)
  }

  stats(): { readonly followers: number; readonly isListening: boolean } {
    return { followers: this.#followers.size, isListening: this.#unlisten !== null }
  }

  #happened({ kind, atMs, target, lease, ms, ...facts }: News): void {
    const number = ++this.#count
    const data = {
      at: new Date(atMs).toISOString(),
      ...(target !== null && { target }),
      ...(lease !== undefined && { lease: leaseHash(lease) }),
      ...facts,
      ...(ms !== undefined && { ms: Math.round(ms * 1_000) / 1_000 }),
    }
    const text = eventText({ id: `${this.#start}-${number}`, event: kind, data: JSON.stringify(data) })
    this.#kept[number % LIMITS.eventsKeptMax] = { number, text }
    for (const follower of this.#followers) follower(text)
  }

  #replay(seen: number, follower: FeedFollower, onMissed: (count: number) => void): void {
    const first = Math.max(seen + 1, this.#count - LIMITS.eventsKeptMax + 1)
    if (first > seen + 1) onMissed(first - seen - 1)
    for (let number = first; number <= this.#count; number++) {
      const kept = this.#kept[number % LIMITS.eventsKeptMax]
      if (kept?.number === number) follower(kept.text)
    }
  }

  /** Null for an id of another start of the service, and for what is none. */
  #numberOf(id: string): number | null {
    const [, start, number] = /^([0-9a-z]+)-(\d{1,15})$/.exec(id) ?? []
    return start === this.#start && Number(number) <= this.#count ? Number(number) : null
  }

  #leave(follower: FeedFollower): void {
    if (!this.#followers.delete(follower) || this.#followers.size > 0) return
    this.#rest = setTimeout(() => {
      this.#unlisten?.()
      this.#unlisten = null
    }, LIMITS.eventsGatherMs).unref()
  }
}
