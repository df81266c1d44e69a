/** The pool of those who ask for connections and servers without one: made when it is first needed, never closed. */
import { LIMITS } from '../base/limits.ts'
import type { Pool } from '../pool/pool.ts'
import { createPool } from './create-pool.ts'

let pool: Promise<Pool> | null = null

/** It keeps no process alive by itself, and has no bound but that of channels. */
export function defaultPool(): Promise<Pool> {
  pool ??= createPool({ adHocMax: LIMITS.channelsMax, limits: { leases: LIMITS.channelsMax } })
  return pool
}
