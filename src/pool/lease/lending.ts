/**
 * Lends the reading end of a lease to parse workers, one task at a time. While it is out nobody reads here, and a
 * connection that ends meanwhile is let go of once the reader is back.
 */
import { SockpoolError } from '../../base/errors.ts'
import type { WaitOptions } from '../../base/wait.ts'
import type { EndName } from '../../channel/channel.ts'
import type { ChannelSource } from '../../streams/channel-ends/channel-source.ts'
import type { OnReset } from '../../streams/reading/read-options.ts'
import type { StreamReader } from '../../streams/reading/stream-reader.ts'
import type { HeldConnection } from '../../threads/held-connection.ts'
import { Loan } from './loan.ts'
import type { ParseCall, ParsePort } from './parse-port.ts'

export type LendingParts = {
  readonly connection: HeldConnection
  readonly source: ChannelSource
  readonly reader: StreamReader
  readonly onReset: OnReset
  readonly port: ParsePort
  readonly tenant: string
  readonly now: () => number
  /** Runs an operation of the lease. */
  readonly operation: <T>(name: string, run: () => Promise<T>) => Promise<T>
  /** How the connection ended already, or null. */
  readonly lost: () => EndName | null
  /** The reader is back; `isLost`: its borrower died or was ended, and nobody knows what it read. */
  readonly onReturned: (isLost: boolean) => void
}

export class Lending {
  readonly #parts: LendingParts
  #loan: Loan | null = null

  constructor(parts: LendingParts) {
    this.#parts = parts
  }

  /** Whether a parse worker has the reading end. */
  get isOut(): boolean {
    return this.#loan !== null
  }

  async parse(
    format: string,
    options: object | undefined,
    call: ParseCall,
  ): Promise<{ value: unknown; offset: number }> {
    const { reader, port, tenant } = this.#parts
    const { offset } = reader
    const value = await this.#lend(call, (lent, rest) =>
      port.parseMessage(lent, format, options, { ...call, ...rest, tenant }),
    )
    return { value, offset }
  }

  async *messages(
    format: string,
    options: object | undefined,
    call: ParseCall,
  ): AsyncGenerator<unknown, void, undefined> {
    for (;;) {
      try {
        yield (await this.parse(format, options, call)).value
      } catch (error) {
        const { reader } = this.#parts
        const ended = error instanceof SockpoolError && error.code === 'INCOMPLETE_READ' && reader.atEof()
        if (ended && 'partial' in error && (error.partial as Uint8Array).length === 0) return
        throw error
      }
    }
  }

  async run(module: URL | string, argument: unknown, call: ParseCall): Promise<unknown> {
    const { port, tenant } = this.#parts
    return await this.#lend(call, (lent, rest) =>
      port.runOn(lent, module, argument, { ...call, ...rest, tenant }),
    )
  }

  async #lend(call: WaitOptions, task: Parameters<Loan['run']>[0]): Promise<unknown> {
    const { operation, reader, now } = this.#parts
    return await operation('parse', async () => {
      const { signal, timeoutMs } = call
      const startedMs = now()
      // A parse worker takes the connection only once something is there, so that a slow peer occupies no thread.
      if (reader.buffered === 0) await reader.peek(1, { signal, timeoutMs })
      const leftMs = timeoutMs === undefined ? undefined : timeoutMs - (now() - startedMs)
      return await reader.lend(async () => {
        const { connection, source, onReset, lost, onReturned } = this.#parts
        const loan = new Loan(connection, source, onReset, lost())
        this.#loan = loan
        try {
          return await loan.run(task, leftMs === undefined ? {} : { timeoutMs: leftMs })
        } finally {
          this.#loan = null
          onReturned(loan.isLost)
          loan.end()
        }
      })
    })
  }
}
