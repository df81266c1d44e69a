/** What the configuration says of other instances, with which this one shares the caps of targets. */

export const ENGINE_LOSSES = ['share', 'closed', 'local'] as const

/**
 * How many connections a capped target may have while the engine is away: `share`, its cap divided by the instances last
 * seen; `closed`, none; `local`, as many as its pool's own maximum.
 */
export type EngineLoss = (typeof ENGINE_LOSSES)[number]

export type FleetConfig = {
  /** The engine: a server of the Redis protocol, `redis://…` or `rediss://…`. */
  readonly url: string
  /** What this instance is called. */
  readonly name: string
  /** The origin where other instances reach this one. */
  readonly advertise: string
  /** Connections of all instances together, by the name of the target. */
  readonly caps: Readonly<Record<string, number>>
  readonly onEngineLoss: EngineLoss
  /** Instances that there are at the least, for the share of each while the engine is away. */
  readonly expected: number
  /** What the owner in a lease's id is authenticated with. Absent: what the engine keeps for all of them. */
  readonly secret?: string
  /** PEM text: whom to trust among the others, and what to show them. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string }
}
