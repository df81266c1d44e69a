/** The id of a lease: who knows it may use the lease, so that nobody may guess it. */
import { randomBytes } from 'node:crypto'

export function randomLeaseId(): string {
  return randomBytes(32).toString('base64url')
}
