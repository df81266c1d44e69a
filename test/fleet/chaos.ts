/**
 * A fleet under load whose instances end, start and stand still, and whose engine does: never are more connections open at the upstream
 * than the cap and what the law allows beyond it at that instant, nobody reads what is another's, and when all is well again everybody
 * is served.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { LIMITS } from '../../src/base/limits.ts'
import { Findings, type PlayReport } from '../soak/findings.ts'
import { Random } from '../support/fence-random.ts'
import { Caller, failureOf, jsonIn } from './caller.ts'
import { CapLaw, type Judged } from './cap-law.ts'
import { Crowd, type CrowdScale } from './crowd.ts'
import { type Field, TARGET } from './field.ts'
import type { Instance } from './instance.ts'
import { TROUBLES, type Trouble, Troubles } from './troubles.ts'

export type ChaosScale = CrowdScale & {
  readonly seed: number
  readonly forMs: number
}

/** Milliseconds before the first trouble, and between two at the most. */
const CALM_MS = 4_000
const BETWEEN_MS = 7_000
/** The longest trouble, and what follows of it. */
const LAST_MS = 25_000
/** Milliseconds until all of them are well again. */
const RECOVER_MS = 60_000
const LOOK_MS = 250

export async function chaos(
  field: Field,
  scale: ChaosScale,
  watched: (what: string) => void = () => {},
): Promise<PlayReport> {
  const findings = new Findings()
  findings.set('seed', scale.seed)
  const caller = new Caller(field.token)
  const law = new CapLaw(field.cap, field.instances.length)
  const crowd = new Crowd(field, caller, findings, scale, scale.seed)
  const first = field.upstream.counts.length
  const left = crowd.run()
  // It is awaited once the troubles are over, and may fail before.
  left.catch(() => {})
  try {
    await trouble({ field, law, findings, watched, random: Random.of(scale.seed, 1_000_000) }, scale.forMs)
    await recovered(field, caller, findings)
  } finally {
    crowd.end()
    await left
    caller.close()
  }
  await field.upstream.report()
  judge(field, law, findings, field.upstream.counts.slice(first))
  return findings.report('chaos')
}

type TroubleDeps = ConstructorParameters<typeof Troubles>[0]

/** Each kind once in an order by chance, and again, until the time is up. Resolves when the last is over. */
async function trouble(deps: TroubleDeps, forMs: number): Promise<void> {
  const untilMs = performance.now() + forMs
  const troubles = new Troubles(deps)
  const running: Promise<void>[] = []
  await sleep(CALM_MS)
  for (let isFirst = true; isFirst || performance.now() < untilMs - LAST_MS; isFirst = false)
    for (const kind of isFirst ? TROUBLES : shuffled(TROUBLES, deps.random)) {
      while (!troubles.mayBegin(kind)) await sleep(LOOK_MS)
      const over = troubles.happen(kind)
      over.catch(() => {})
      running.push(over)
      await sleep(isFirst ? BETWEEN_MS : deps.random.next() * 2 * BETWEEN_MS)
    }
  await Promise.all(running)
  await sleep(Math.max(0, untilMs - performance.now()))
}

function shuffled(kinds: readonly Trouble[], random: Random): readonly Trouble[] {
  return kinds
    .map(kind => ({ kind, place: random.next() }))
    .toSorted((one, other) => one.place - other.place)
    .map(({ kind }) => kind)
}

/** All instances say that they are together again, and each serves. */
async function recovered(field: Field, caller: Caller, findings: Findings): Promise<void> {
  const startedMs = performance.now()
  const untilMs = startedMs + RECOVER_MS
  await Promise.all(
    field.instances.map(async instance => {
      for (;;) {
        const fault = await faultOf(instance, caller)
        if (fault === null) return
        if (performance.now() > untilMs)
          return findings.violate(`${instance.name} is not well again: ${fault}`)
        await sleep(LOOK_MS)
      }
    }),
  )
  findings.set('ms until all were well again', performance.now() - startedMs)
}

async function faultOf(instance: Instance, caller: Caller): Promise<string | null> {
  const ready = await caller.ask(instance, { method: 'GET', path: '/readyz' })
  const notReady = failureOf(ready)
  if (notReady !== null) return notReady.detail
  const { fleet } = jsonIn<{ fleet?: string }>(ready)
  if (fleet !== 'joined') return `its fleet is ${fleet}`
  const json = { target: TARGET, write: { text: 'well\n' }, read: 'line' }
  return failureOf(await caller.ask(instance, { method: 'POST', path: '/v1/exchange', json }))?.detail ?? null
}

function judge(field: Field, law: CapLaw, findings: Findings, counts: Field['upstream']['counts']): void {
  findings.set('cap', field.cap)
  findings.set('chunk', Math.max(1, Math.floor(field.cap / LIMITS.fleetChunksMax)))
  for (const { total } of counts) findings.most('most open', total)
  findings.set('open in the mean', meanOpen(counts))
  findings.set('changes that were counted', counts.length)
  const judged = law.judge(counts)
  findings.set('instants above the cap', judged.length)
  for (const one of judged) {
    findings.most('most open above what is allowed', one.counts.total - one.allowed)
    if (one.excused.length === 0) findings.most('most open with nobody excused', one.counts.total)
    if (one.counts.total > one.allowed) findings.violate(textOf(one, field.instances))
  }
  const highest = judged.toSorted((one, other) => other.counts.total - one.counts.total)[0]
  if (highest !== undefined) findings.set('allowed when most were open', highest.allowed)
  for (const name of ['exchanges: served', 'leases: served'])
    if (findings.of(name) === 0) findings.violate(`${name}: none`)
}

/** Over time: each count stood until the next. */
function meanOpen(counts: Field['upstream']['counts']): number {
  let sum = 0
  for (const [index, { atMs, total }] of counts.entries())
    sum += total * ((counts[index + 1]?.atMs ?? atMs) - atMs)
  return sum / ((counts.at(-1)?.atMs ?? 0) - (counts[0]?.atMs ?? 0))
}

function textOf({ counts, allowed, excused, isAfterLoss }: Judged, instances: readonly Instance[]): string {
  const byName = instances.map(({ name, index }) => `${name} ${counts.byPort[index]}`).join(', ')
  const why = [
    ...excused.map(index => `${instances[index]?.name} silent`),
    ...(isAfterLoss ? ['engine emptied'] : []),
  ]
  const at = new Date(counts.atMs).toISOString().slice(11, 23)
  return `${at}: ${counts.total} open where ${allowed} may be: ${byName}${why.length > 0 ? ` (${why.join(', ')})` : ''}`
}
