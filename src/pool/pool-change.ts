/** What a running pool is told anew. */
import type { Target } from '../config/target.ts'
import type { TargetInput } from '../config/target-input.ts'

/** What is to hold from now on. What is left out stays as it is. */
export type ReloadOptions = {
  /** All named targets, as in `createPool`; one that is not among them is no more. */
  readonly targets?: Readonly<Record<string, TargetInput>> | undefined
  /** For pools that were made with egress rules. */
  readonly egress?: { readonly allow: readonly string[]; readonly dnsServers?: readonly string[] } | undefined
  readonly limits?: { readonly leases?: number; readonly waiters?: number } | undefined
  /**
   * Whether what a tenant holds of a target, or waits for, may go on; `target` is null for one that it described. Default:
   * yes. It must not throw.
   */
  readonly mayUse?: ((tenant: string, target: string | null) => boolean) | undefined
  /** Whether a tenant's listener may go on at the place that it asked for. Default: yes. It must not throw. */
  readonly mayListen?:
    | ((tenant: string, place: { readonly host: string; readonly port: number }) => boolean)
    | undefined
}

/**
 * Leases that were ended, and connections that serve nobody new: closed by now, or when they come back; listeners of
 * tenants that were ended.
 */
export type ReloadResult = {
  readonly leasesEnded: number
  readonly connectionsRetired: number
  readonly listenersClosed: number
}

/** The same, judged. */
export type PoolChange = {
  readonly targets: Readonly<Record<string, Target>> | null
  readonly egress: {
    /** Has the rules hold, here and in the I/O workers. */
    apply(): void
    /** Whether what a caller described, and is connected to, may still be dialled. */
    admits(place: { readonly host: string; readonly port: number }, reached: string): boolean
  } | null
  readonly leasesMax: number | undefined
  readonly waitersMax: number | undefined
  readonly mayUse: (tenant: string, target: string | null) => boolean
  readonly mayListen: NonNullable<ReloadOptions['mayListen']>
}
