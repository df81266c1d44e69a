/**
 * BlockingReader and BlockingWriter of a `leaseSync`, in a thread that blocks on a real connection. The cases run here,
 * where the pool and the peer are, or nobody could make come what that thread waits for.
 */
import type { Pool } from '../../../src/pool/pool.ts'
import type { ReleaseResult } from '../../../src/pool/target/release-result.ts'
import type { TransportName } from '../exemptions.ts'
import { onCaseFinished, runCase, type Surface } from '../surface.ts'
import type { OpenOptions, PlainReader, PlainWriter, Transport, WriterLink } from '../transport.ts'
import { PeerServer, type ServedConnection } from './peer-server.ts'
import { poolTo, untilEmpty } from './pool-to.ts'
import type { PeerProgress, TwinsData } from './twin-protocol.ts'
import { RemoteTwins, TwinThread } from './twins.ts'
import { type Leased, warmLease } from './warm-lease.ts'

export const blocking: Surface = blockingSurface('blocking', false)
export const blockingTls: Surface = blockingSurface('blocking tls', true)

type Started = { readonly server: PeerServer; readonly pool: Pool; readonly thread: TwinThread }

/** A lease of the thread, and how far its peer is. */
type RemoteLease = Leased<PlainReader, PlainWriter> & { progress: PeerProgress }

function blockingSurface(name: TransportName, isTls: boolean): Surface {
  let started: Started | null = null
  return {
    name,
    start: async () => {
      const server = await PeerServer.start(isTls)
      const pool = await poolTo(server)
      started = { server, pool, thread: await TwinThread.start({ handle: pool.handle }) }
    },
    run: async entry => {
      if (started === null) throw new Error('it was not started')
      await runCase(entry, transportOf(started))
      await untilEmpty(started.pool)
    },
    stop: async () => {
      await started?.thread.end()
      await started?.pool.close()
      await started?.server.close()
    },
  }
}

function transportOf({ server, pool, thread }: Started): Transport {
  return {
    open: async options => {
      onCaseFinished(() => server.clear())
      const { lease, served } = await warmLease(own => leaseOf(thread, own), server, options ?? {})
      return linkOf(lease as RemoteLease, served, await Received.since(pool))
    },
    dial: port => thread.ask({ kind: 'dial', port }),
  }
}

async function leaseOf(thread: TwinThread, options: OpenOptions = {}): Promise<RemoteLease> {
  const data = (await thread.ask({ kind: 'lease', options })) as TwinsData
  const { localPort, reused } = data
  const twins = new RemoteTwins(thread, data.twins, () => lease.progress)
  onCaseFinished(() => twins.give('discard'))
  const lease: RemoteLease = {
    reader: twins.reader,
    writer: twins.writer,
    localPort,
    reused,
    release: async () => (await twins.give('release')) as ReleaseResult,
    progress: { arrived: 0, hasEnded: false },
  }
  return lease
}

/** The bytes that the I/O workers have taken from their sockets. */
class Received {
  readonly #pool: Pool
  readonly #before: number

  private constructor(pool: Pool, before: number) {
    this.#pool = pool
    this.#before = before
  }

  static async since(pool: Pool): Promise<Received> {
    return new Received(pool, await allReceived(pool))
  }

  /** Resolves once they are as many more. */
  async until(count: number): Promise<void> {
    const deadline = performance.now() + 5_000
    while ((await allReceived(this.#pool)) - this.#before < count) {
      if (performance.now() > deadline) throw new Error(`${count} bytes never arrived`)
      await new Promise(resolve => setImmediate(resolve))
    }
  }
}

async function allReceived(pool: Pool): Promise<number> {
  const counts = (await pool.workers()).map(row => ('bytesIn' in row ? Number(row.bytesIn) : 0))
  return counts.reduce((sum, count) => sum + count, 0)
}

function linkOf(
  lease: RemoteLease,
  { stream, socket, peer }: ServedConnection,
  received: Received,
): WriterLink {
  let sent = 0
  const send = (text: string | Uint8Array): void => {
    const bytes = Buffer.from(text)
    sent += bytes.length
    stream.write(bytes)
  }
  const end = (): void => {
    lease.progress = { ...lease.progress, hasEnded: true }
  }
  return {
    reader: lease.reader,
    writer: lease.writer,
    peer,
    send,
    // Whoever waits for these bytes gets them by himself; a later call is made when they are in the ring.
    arrive: async text => {
      send(text)
      lease.progress = { ...lease.progress, arrived: sent }
      await received.until(sent)
    },
    finish: async () => {
      stream.end()
      end()
    },
    break: async () => {
      socket.resetAndDestroy()
      end()
    },
  }
}
