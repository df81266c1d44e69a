/**
 * Ids of leases and listeners that carry their owner.
 *
 *   head                                              '.'   random
 *   base64url of boot (12 bytes) ‖ mac (16) ‖ name          base64url of 32 bytes
 *
 * The head is the same for all ids of one start, so that an id costs no more than its random part, which nobody guesses.
 * `mac` is HMAC-SHA256 over boot and name, cut to 16 bytes: who does not know the secret can name no instance that has not been
 * named to it, and so have no other place be called.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { LIMITS } from '../base/limits.ts'

const BOOT_BYTES = 12
const MAC_BYTES = 16
const RANDOM_BYTES = 32

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
  readonly #name: string
  readonly #boot: string
  /** What it makes ids with. */
  readonly #secret: () => string
  /** What all make ids with, and did before; none while it is not known. */
  readonly #known: () => readonly string[]
  /** As the secret has it now. */
  #head: { readonly secret: string; readonly text: string } | null = null

  constructor(name: string, boot: string, secret: () => string, known: () => readonly string[]) {
    this.#name = name
    this.#boot = boot
    this.#secret = secret
    this.#known = known
  }

  next(): string {
    return this.#ownHead + randomBytes(RANDOM_BYTES).toString('base64url')
  }

  markOf(id: string): IdMark {
    if (id.startsWith(this.#ownHead) || id.length > LIMITS.fleetIdCharsMax) return OWN
    const dot = id.indexOf('.')
    if (dot === -1) return OWN
    const [head, tail] = [bytesOf(id.slice(0, dot)), bytesOf(id.slice(dot + 1))]
    if (head === null || tail?.length !== RANDOM_BYTES || head.length <= BOOT_BYTES + MAC_BYTES) return OWN
    const [boot, mac] = [head.subarray(0, BOOT_BYTES), head.subarray(BOOT_BYTES, BOOT_BYTES + MAC_BYTES)]
    const name = head.subarray(BOOT_BYTES + MAC_BYTES)
    if (!this.#known().some(secret => timingSafeEqual(macOf(secret, boot, name), mac))) return OWN
    const mark = { kind: 'foreign', boot: boot.toString('base64url'), name: name.toString() } as const
    // Of this start too, from before the secret changed.
    return mark.boot === this.#boot && mark.name === this.#name ? OWN : mark
  }

  get #ownHead(): string {
    const secret = this.#secret()
    if (this.#head?.secret === secret) return this.#head.text
    const [boot, name] = [Buffer.from(this.#boot, 'base64url'), Buffer.from(this.#name)]
    const text = `${Buffer.concat([boot, macOf(secret, boot, name), name]).toString('base64url')}.`
    this.#head = { secret, text }
    return text
  }
}

function macOf(secret: string, boot: Uint8Array, name: Uint8Array): Buffer {
  return createHmac('sha256', secret).update(boot).update(name).digest().subarray(0, MAC_BYTES)
}

/** Null where it is not the one spelling of some bytes: an id has no second one. */
function bytesOf(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64url')
  return bytes.toString('base64url') === text ? bytes : null
}
