/**
 * A reading end lent to a parse worker. While it is out, the connection's channel is pinned: should the socket end
 * meanwhile, the channel goes to nobody else before the reader is back.
 */
import type { Channel, EndName } from '../../channel/channel.ts'
import { endedChannel } from '../../channel/slab.ts'
import type { LentSource } from '../../streams/channel-ends/blocking-channel-source.ts'
import type { ChannelSource } from '../../streams/channel-ends/channel-source.ts'
import type { OnReset } from '../../streams/reading/read-options.ts'
import type { LendResult } from '../../streams/reading/stream-reader.ts'
import type { HeldConnection } from '../../threads/held-connection.ts'
import type { LoanResult, ParseCall } from './parse-port.ts'

export class Loan {
  readonly #connection: HeldConnection
  readonly #channel: Channel
  readonly #source: ChannelSource
  readonly #onReset: OnReset
  #isLost = false

  /** `lost`: how the connection ended already; its channel serves another by now, so an ended one stands in. */
  constructor(connection: HeldConnection, source: ChannelSource, onReset: OnReset, lost: EndName | null) {
    this.#onReset = onReset
    this.#connection = connection
    this.#channel = lost === null ? connection.channel : endedChannel(lost)
    this.#source = source
    connection.pin()
  }

  /** The borrower died or was ended while it read. */
  get isLost(): boolean {
    return this.#isLost
  }

  /** Lends, awaits the work, and takes up reading where it left off. */
  async run(
    task: (lent: LentSource, call: ParseCall) => Promise<LoanResult>,
    call: ParseCall,
  ): Promise<LendResult> {
    const { doorbell } = this.#connection
    const position = this.#source.suspend()
    const lent = { memory: this.#channel.memory, doorbell, position, onReset: this.#onReset }
    const { outcome, reader } = await task(lent, call)
    let count = 0
    if (reader.kind === 'returned') {
      this.#source.resume(reader.returned.position)
      count = reader.returned.count
    } else if (reader.kind === 'untouched') this.#source.resume(position)
    else this.#isLost = true
    return { count, outcome }
  }

  end(): void {
    this.#connection.unpin()
  }
}
