/**
 * Ids of leases and listeners that carry their owner.
 *
 *   prefix   '.'   random ‖ mac
 *   base64url of boot (12 bytes) ‖ name      base64url of 16 + 16 bytes
 *
 * The prefix is the same for all ids of one start. `mac` is HMAC-SHA256 over the prefix and `random`, cut to 16 bytes: who
 * does not know the secret can name no instance, and so have no other one be asked. The random part is what nobody guesses.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { LIMITS } from '../base/limits.ts'

const BOOT_BYTES = 12
const RANDOM_BYTES = 16
const MAC_BYTES = 16
const TAIL_BYTES: number = RANDOM_BYTES + MAC_BYTES

/** Whose id it is. */
export type IdMark =
  /** Of this start, or nothing that another start can have made. */
  { readonly kind: 'own' } | { readonly kind: 'foreign'; readonly name: string; readonly boot: string }

const OWN: IdMark = { kind: 'own' }

/** Of a start, in the engine and in ids. */
export function newBoot(): string {
  return randomBytes(BOOT_BYTES).toString('base64url')
}

export class FleetIds {
  readonly #head: string
  /** What it makes ids with. */
  readonly #secret: () => string
  /** What all make ids with; null while it is not known. */
  readonly #shared: () => string | null

  constructor(name: string, boot: string, secret: () => string, shared: () => string | null) {
    this.#head = `${Buffer.concat([Buffer.from(boot, 'base64url'), Buffer.from(name)]).toString('base64url')}.`
    this.#secret = secret
    this.#shared = shared
  }

  next(): string {
    const random = randomBytes(RANDOM_BYTES)
    const mac = macOf(this.#secret(), this.#head, random)
    return this.#head + Buffer.concat([random, mac]).toString('base64url')
  }

  markOf(id: string): IdMark {
    const secret = this.#shared()
    if (id.startsWith(this.#head) || id.length > LIMITS.fleetIdCharsMax || secret === null) return OWN
    const dot = id.indexOf('.')
    if (dot === -1) return OWN
    const head = id.slice(0, dot + 1)
    const [owner, tail] = [bytesOf(id.slice(0, dot)), bytesOf(id.slice(dot + 1))]
    if (owner === null || tail?.length !== TAIL_BYTES || owner.length <= BOOT_BYTES) return OWN
    const mac = macOf(secret, head, tail.subarray(0, RANDOM_BYTES))
    if (!timingSafeEqual(mac, tail.subarray(RANDOM_BYTES))) return OWN
    const boot = owner.subarray(0, BOOT_BYTES).toString('base64url')
    return { kind: 'foreign', boot, name: owner.subarray(BOOT_BYTES).toString() }
  }
}

function macOf(secret: string, head: string, random: Uint8Array): Buffer {
  return createHmac('sha256', secret).update(head).update(random).digest().subarray(0, MAC_BYTES)
}

/** Null where it is not the one spelling of some bytes: an id has no second one. */
function bytesOf(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64url')
  return bytes.toString('base64url') === text ? bytes : null
}
