/**
 * The bearer token that the page calls with. It is kept for as long as the tab is open and goes nowhere else: one that comes
 * as `#token=` leaves the address bar, so that no bookmark or history has it.
 */

const KEY = 'sockpool.token'

/** What of the browser it uses. */
export type TokenPlaces = {
  readonly storage: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>
  readonly location: Pick<Location, 'hash' | 'pathname' | 'search'>
  readonly history: Pick<History, 'replaceState'>
}

export class AccessToken {
  readonly #places: TokenPlaces

  constructor(places: TokenPlaces) {
    this.#places = places
    this.takeFromAddress()
  }

  /** Null where the page has none: a service that asks for none answers all the same. */
  get value(): string | null {
    return this.#places.storage.getItem(KEY)
  }

  keep(token: string): void {
    this.#places.storage.setItem(KEY, token)
  }

  forget(): void {
    this.#places.storage.removeItem(KEY)
  }

  /** Whether the address had a token: it is kept then, and the address has it no more. */
  takeFromAddress(): boolean {
    const { location, history } = this.#places
    const given = /^#(?:.*&)?token=([^&]+)/.exec(location.hash)?.[1]
    if (given === undefined) return false
    history.replaceState(null, '', `${location.pathname}${location.search}`)
    this.keep(decoded(given))
    return true
  }
}

/** What is no escape stands for itself. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
