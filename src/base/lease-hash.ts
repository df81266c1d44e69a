/** The name under which a lease may appear in logs, events and channels: its id is a credential. */
import { hash } from 'node:crypto'

/** Enough to tell 10,000 leases apart, and too few to find the id. */
const HASH_CHARS = 12

export function leaseHash(id: string): string {
  return hash('sha256', id).slice(0, HASH_CHARS)
}
