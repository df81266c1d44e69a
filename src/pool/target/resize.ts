/** New bounds for the pool of a target that runs, each judged as in the config. */
import { END_LIMITS } from '../../base/end-limits.ts'
import { countOption, durationOption, invalidOption, optionsObject } from '../../base/options.ts'
import type { PoolSettings } from '../../config/target.ts'

/** Counts of connections, and milliseconds; what is left out stays. */
export type Resize = Partial<PoolSettings>

type Judge = (path: string, value: number) => number

const count =
  (min: number, max: number): Judge =>
  (path, value) =>
    countOption(path, value, min, max)

const duration =
  (minMs: number): Judge =>
  (path, value) =>
    durationOption(path, value, minMs)

const JUDGES: Readonly<Record<keyof PoolSettings, Judge>> = {
  min: count(0, END_LIMITS.channelsMax),
  max: count(1, END_LIMITS.channelsMax),
  idleTimeoutMs: duration(1),
  maxLifetimeMs: duration(1),
  waitTimeoutMs: duration(0),
  leaseTtlMs: duration(1),
  connectTimeoutMs: duration(1),
  maxUses: count(0, 1_000_000_000),
  probeAfterMs: duration(1),
  keepaliveMs: duration(0),
  maxConnecting: count(1, END_LIMITS.channelsMax),
}

/** The settings that may be changed, in the order of the config. */
export const RESIZABLE = Object.keys(JUDGES) as readonly (keyof PoolSettings)[]

/** Each value judged and read once. Errors: INVALID_REQUEST at `pool.NAME`. */
export function judgedResize(changes: Resize): Resize {
  const said = Object.entries(optionsObject(changes, 'pool')).filter(([, value]) => value !== undefined)
  return Object.fromEntries(
    said.map(([name, value]) => {
      if (!isResizable(name)) throw invalidOption(`pool.${name}`, 'is not a known key')
      return [name, JUDGES[name](`pool.${name}`, value as number)]
    }),
  )
}

function isResizable(name: string): name is keyof PoolSettings {
  return Object.hasOwn(JUDGES, name)
}
