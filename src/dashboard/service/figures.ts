/** What the API answers, as far as the page reads it. Rows may have more fields, and what is optional may be absent. */

export const CONNECTION_STATES = [
  'connecting',
  'idle',
  'leased',
  'multiplexed',
  'quarantined',
  'closing',
] as const

export type ConnectionStateName = (typeof CONNECTION_STATES)[number]

export type StateFigures = Readonly<Record<ConnectionStateName, number>>

export type MultiplexFigures = {
  readonly connections: number
  readonly inFlight: number
  readonly queued: number
  readonly orphans: number
  readonly unsolicited: number
}

export type HostFigures = {
  readonly host: string
  readonly port: number
  readonly state: string
  readonly connections: number
}

export type TargetFigures = {
  readonly name: string
  /** Who described it; null for a configured one. */
  readonly tenant: string | null
  readonly state: 'active' | 'paused' | 'disabled' | 'draining'
  readonly connections: StateFigures & { readonly max: number; readonly min: number }
  readonly waiters: number
  readonly expectedWaitMs: number | null
  readonly breaker: 'closed' | 'open' | 'half_open' | 'off'
  readonly hosts: readonly HostFigures[]
  readonly multiplex: MultiplexFigures | null
  readonly reuse: string
  readonly opened: number
  readonly closed: Readonly<Record<string, number>>
}

export type ConnectionFigures = {
  readonly id: string
  readonly target: string
  readonly tenant: string | null
  readonly state: ConnectionStateName
  readonly worker: number
  readonly remoteAddress: string
  readonly remotePort: number
  readonly tls: boolean
  readonly ageMs: number
  readonly uses: number
  /** Of the present lease, as all that follow; null where there is none. */
  readonly leaseAgeMs: number | null
  readonly leaseIdleMs: number | null
  readonly leaseBytesIn: number | null
  readonly leaseBytesOut: number | null
  readonly lastOperation: string | null
}

export type OperationFigures = {
  readonly name: string
  readonly at: string
  readonly ms: number
  readonly bytesIn: number
  readonly bytesOut: number
  readonly outcome: string
}

export type ConnectionStory = ConnectionFigures & { readonly operations: readonly OperationFigures[] }

/** A lease of the page's own token. Its id is what it is killed by, and is shown nowhere. */
export type LeaseFigures = { readonly id: string; readonly connection: { readonly id: string } }

export type WorkerFigures = {
  readonly id: number
  readonly kind: 'io' | 'http' | 'parse'
  readonly state?: string
  readonly threadId?: number
  readonly connections?: number
  readonly requests?: number
  readonly work?: string
  readonly tasks?: number
  readonly dialled?: number
  readonly bytesIn?: number
  readonly bytesOut?: number
  readonly utilization?: number
  readonly missedWakes?: number
}

export type LongParseFigures = {
  readonly format: string
  readonly bytes: number
  readonly bytesDone: number
  readonly values: number
  readonly ms: number
}

export type ServiceFigures = {
  readonly leases: number
  readonly waiters: number
  readonly connections: StateFigures
  readonly targets: number
  readonly parse: {
    readonly workers: number
    readonly busy: number
    readonly queued: number
    readonly inPlace: number
    readonly long: readonly LongParseFigures[]
  }
  readonly memory: { readonly rss: number; readonly heapUsed: number; readonly ringBytes: number }
  readonly uptimeMs: number
}

export type FleetMemberFigures = {
  readonly name: string
  readonly url: string
  readonly leases: number
  readonly connections: number
  readonly seenAt: string
  readonly startedAt: string
  readonly version: string
}

export type CapFigures = {
  readonly cap: number
  readonly held: number
  readonly byInstance: Readonly<Record<string, number>>
}

export type FleetStory = {
  readonly state: 'alone' | 'joined' | 'degraded'
  /** Null where it is alone. */
  readonly name: string | null
  readonly instances: readonly FleetMemberFigures[]
  readonly caps: Readonly<Record<string, CapFigures>>
}

/** What a verb answers. */
export type VerbFigures = {
  readonly state: string
  readonly closed: number
  readonly refused: number
  readonly leased: number
  readonly waiters: number
}

/** One reply, its bytes as base64. */
export type ReplyFigures = { readonly data: string; readonly eof: boolean; readonly reused: boolean }
