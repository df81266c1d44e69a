/** The forwards of a running service: opened at its start, replaced by its reloads, and dialled by nobody. */
import type { Config } from '../config/config.ts'
import type { Pool } from '../pool/pool.ts'

export type ServedForwardsDeps = {
  readonly pool: Pick<Pool, 'forwards' | 'messages'>
  /** Bounds what clients of forwards in message mode wait for. */
  readonly limits: Pick<Config['limits'], 'operationTimeoutMs'>
  /** Where they listen has changed. */
  readonly onMoved: () => void
}

export class ServedForwards {
  readonly #deps: ServedForwardsDeps
  #settled: Promise<void> = Promise.resolve()

  constructor(deps: ServedForwardsDeps) {
    this.#deps = deps
    const { pool, limits } = deps
    pool.forwards.serveMode('message', pool.messages.handler({ timeoutMs: limits.operationTimeoutMs }))
  }

  /** Resolves when the last replacement holds; never rejects. */
  get settled(): Promise<void> {
    return this.#settled
  }

  /** Errors: as Forwards.open. */
  async open(configs: Config['forwards']): Promise<void> {
    await this.#deps.pool.forwards.open(configs)
  }

  /** Begins at once, and holds once it is settled; one that cannot be opened is logged, and touches no other. */
  replace(configs: Config['forwards']): void {
    this.#settled = this.#deps.pool.forwards.replace(configs).then(() => this.#deps.onMoved())
  }

  /** Where they listen. */
  get addresses(): readonly { readonly address: string; readonly port: number }[] {
    return this.#deps.pool.forwards.addresses
  }
}
