/**
 * The package that speaks to the engine, which is loaded only for a fleet: it is the operator's to install. Of two that do
 * the same the one that is there is taken.
 */
import { errorText } from '../base/error-text.ts'

/** No bundle and no installation brings what is named here alone. */
const PACKAGES: readonly string[] = ['iovalkey', 'ioredis']
export const FLEET_INSTALL: string = 'npm install iovalkey'

/** As much of a connection to the engine as is used. */
export interface EngineClient {
  readonly status: string
  connect(): Promise<unknown>
  /** Ends the connection; with `true` another one is made. */
  disconnect(reconnect?: boolean): void
  /** Adds a method that runs the script by its hash, and sends its text where the engine does not have it. */
  defineCommand(name: string, script: { readonly numberOfKeys: number; readonly lua: string }): void
  subscribe(channel: string): Promise<unknown>
  on(event: 'ready' | 'close' | 'end', listener: () => void): unknown
  on(event: 'error', listener: (error: unknown) => void): unknown
  on(event: 'message', listener: (channel: string, text: string) => void): unknown
}

export type MakeEngineClient = new (url: string, options: object) => EngineClient

/** Errors: an Error that says what to install. */
export async function loadEngineClient(packages: readonly string[] = PACKAGES): Promise<MakeEngineClient> {
  for (const name of packages) {
    try {
      const { default: Client, Redis = Client }: { default?: unknown; Redis?: unknown } = await import(name)
      if (typeof Redis === 'function') return Redis as MakeEngineClient
      throw new Error('it has no client')
    } catch (error) {
      if (isAbsent(error)) continue
      throw new Error(`fleet: ${name} cannot be loaded: ${errorText(error)}`, { cause: error })
    }
  }
  throw new Error(
    `fleet: neither ${packages.join(' nor ')} is installed; run "${FLEET_INSTALL}", or leave \`fleet\` out of the configuration`,
  )
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND'
}
