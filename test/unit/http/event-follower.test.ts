import { expect, test } from 'vitest'
import { SockpoolError } from '../../../src/base/errors.ts'
import { LIMITS } from '../../../src/base/limits.ts'
import { EventFeed } from '../../../src/http/streaming/event-feed.ts'
import { EventFollower, type FollowerOutput } from '../../../src/http/streaming/event-follower.ts'
import { PoolNews } from '../../../src/pool/target/pool-news.ts'
import { until } from '../../support/until.ts'

/** Takes texts one by one, as it is let. */
class SlowOutput implements FollowerOutput {
  readonly taken: string[] = []
  destroyed = false
  isFinished = false
  #allowed = 0
  #wake = Promise.withResolvers<void>()

  allow(count: number): void {
    this.#allowed += count
    this.#wake.resolve()
  }

  async write(record: string | Buffer): Promise<void> {
    while (this.#allowed === 0 && !this.destroyed) {
      await this.#wake.promise
      this.#wake = Promise.withResolvers<void>()
    }
    if (this.destroyed) throw new SockpoolError('ABORTED', 'gone')
    this.#allowed--
    this.taken.push(String(record))
  }

  finish(): void {
    this.isFinished = true
  }

  destroy(): this {
    this.destroyed = true
    this.#wake.resolve()
    return this
  }
}

test('EventFollower keeps so many events for a slow client, and tells how many it dropped, in their place', async () => {
  const out = new SlowOutput()
  const follower = new EventFollower(out, () => true)
  const done = follower.run()
  const { eventsWaitingMax } = LIMITS
  for (let at = 0; at < eventsWaitingMax + 7; at++) follower.hear(`${at}`)
  out.allow(3)
  await until('two events were taken', () => out.taken.length === 3)
  follower.hear('later')
  out.allow(Infinity)
  await until('all was taken', () => out.taken.at(-1) === 'later')
  expect(out.taken.slice(0, 3)).toEqual([':\n\n', '0', '1'])
  expect(out.taken.length).toBe(1 + eventsWaitingMax + 2)
  expect(out.taken.at(-2)).toMatch(/^event: dropped\ndata: \{"at":"[^"]+","count":7\}\n\n$/)
  follower.end()
  await done
  expect(out.taken.at(-1)).toMatch(/^event: end\n/)
  expect(out.isFinished).toBe(true)
})

test('EventFollower tells of dropped events where none follows them', async () => {
  const out = new SlowOutput()
  const follower = new EventFollower(out, () => true)
  const done = follower.run()
  for (let at = 0; at < LIMITS.eventsWaitingMax + 2; at++) follower.hear(`${at}`)
  out.allow(Infinity)
  await until('it was told', () => out.taken.at(-1)?.includes('"count":2') ?? false)
  follower.end()
  await done
})

test('EventFollower ends with its client', async () => {
  const out = new SlowOutput()
  const follower = new EventFollower(out, () => true)
  const done = follower.run()
  out.destroy()
  await done
  expect(out.isFinished).toBe(false)
})

test('EventFeed listens while somebody follows, and gives what was missed to one who comes again', () => {
  const news = new PoolNews()
  const feed = new EventFeed(news)
  expect(news.isHeard).toBe(false)
  const heard: string[] = []
  const leave = feed.follow(
    null,
    text => heard.push(text),
    () => {},
  )
  news.tell('verb', 'a', { reason: 'pause' })
  leave()
  expect(feed.stats()).toEqual({ followers: 0, isListening: true })
  for (let count = 0; count < LIMITS.eventsKeptMax + 3; count++)
    news.tell('verb', 'a', { reason: `${count}` })
  const again: string[] = []
  const missed: number[] = []
  const id = /^id: (\S+)/.exec(heard[0] ?? '')?.[1] ?? null
  feed.follow(
    id,
    text => again.push(text),
    count => missed.push(count),
  )()
  expect(missed).toEqual([3])
  expect(again).toHaveLength(LIMITS.eventsKeptMax)
  expect(again[0]).toContain('"reason":"3"')
})

test('EventFeed shows the hash of a lease, never its id', () => {
  const news = new PoolNews()
  const heard: string[] = []
  const leave = new EventFeed(news).follow(
    null,
    text => heard.push(text),
    () => {},
  )
  news.tell('lease', 'a', { lease: 'the-id', connection: 'c1', ms: 1.23456 })
  expect(heard[0]).not.toContain('the-id')
  expect(heard[0]).toMatch(/"lease":"[0-9a-f]{12}","connection":"c1","ms":1.235}/)
  leave()
})
