/** A lease on a connection that served another one before, as pooled connections do. */
import type { ReleaseResult } from '../../../src/pool/target/release-result.ts'
import type { PlainReader, PlainWriter } from '../transport.ts'
import type { PeerServer, ServedConnection } from './peer-server.ts'

/** A lease of either kind, as far as it takes to warm a connection up. */
export type Leased<R extends PlainReader, W extends PlainWriter> = {
  readonly reader: R
  readonly writer: W
  readonly localPort: number
  readonly reused: boolean
  release(): Promise<ReleaseResult>
}

const WORD = 'warm\n'
const TRIES = 20

/** Leases, asks and hears a word, releases, and leases the same connection again with the options of the case. */
export async function warmLease<R extends PlainReader, W extends PlainWriter, O extends object>(
  lease: (options?: O) => Promise<Leased<R, W>>,
  server: PeerServer,
  options: O,
): Promise<{ readonly lease: Leased<R, W>; readonly served: ServedConnection }> {
  for (let tries = 0; tries < TRIES; tries++) {
    const first = await lease()
    const served = await server.connectionOf(first.localPort)
    await first.writer.write(WORD)
    await served.peer.receive(WORD.length)
    served.stream.write(WORD)
    await first.reader.readLine()
    const { outcome, reason } = await first.release()
    // A peer that is quick answers before the I/O worker has heard that its bytes have gone: then another one.
    if (reason === 'unsent') continue
    if (outcome !== 'reused') throw new Error(`a connection that was clean was closed: ${reason}`)
    const second = await lease(options)
    if (!second.reused || second.localPort !== first.localPort)
      throw new Error('a connection that was clean does not serve again')
    return { lease: second, served }
  }
  throw new Error(`${TRIES} connections were closed before their bytes had gone`)
}
