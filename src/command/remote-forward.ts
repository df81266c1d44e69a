/** A local port whose clients each have a lease of a running service, through a tunnel of their own. */
import type { Duplex } from 'node:stream'
import { type BreakableSocket, breakOff } from '../base/break-off.ts'
import { errorText } from '../base/error-text.ts'
import { LIMITS } from '../base/limits.ts'
import { settledWithin } from '../base/wait.ts'
import { formatAddress, type ListenAddress } from '../config/address.ts'
import type { StreamReader } from '../streams/reading/stream-reader.ts'
import type { StreamWriter } from '../streams/writing/stream-writer.ts'
import { openTunnel, type TunnelCall } from './tunnel.ts'

export type RemoteForwardOptions = {
  readonly listen: ListenAddress
  readonly url: string
  readonly call: Omit<TunnelCall, 'signal'>
  /** Milliseconds that clients have once it closes. */
  readonly drainMs: number
  /** A client was disconnected, for this. */
  readonly onRefused: (reason: string) => void
}

export type RemoteForward = { readonly listen: string; readonly leases: number; close(): Promise<void> }

/** Errors: LISTEN_FAILED, DNS_FAILED. */
export async function openRemoteForward(options: RemoteForwardOptions): Promise<RemoteForward> {
  const { listen, url, call, drainMs, onRefused } = options
  const { createPool, startServer } = await import('../library/index.ts')
  const pool = await createPool({ ioWorkers: 1 })
  const serve = async (reader: StreamReader, writer: StreamWriter): Promise<void> => {
    let tunnel: BreakableSocket | null = null
    try {
      tunnel = await openTunnel(url, { ...call, signal: AbortSignal.timeout(LIMITS.leaseWaitMsMax) })
      await joined(reader, writer, tunnel)
    } catch (error) {
      onRefused(errorText(error))
      // What broke on one side is no end on the other.
      writer.abort({ reset: tunnel !== null })
      if (tunnel !== null) breakOff(tunnel)
    }
  }
  const settings = { pool, maxConnections: LIMITS.forwardClientsMax, backlog: LIMITS.forwardBacklog }
  const opening =
    listen.kind === 'unix'
      ? startServer(serve, { path: listen.path }, settings)
      : startServer(serve, listen.host, listen.port, settings)
  const server = await opening.catch(async error => {
    await pool.close()
    throw error
  })
  return {
    listen:
      listen.kind === 'unix'
        ? formatAddress(listen)
        : formatAddress({ ...listen, port: server.address.port }),
    get leases() {
      return server.stats().clients
    },
    close: async () => {
      server.close()
      await settledWithin(server.waitClosed(), drainMs)
      await pool.close()
    },
  }
}

/** Bytes both ways, and each end behind the last of them. Errors: the first that breaks either side; both are to be broken off. */
async function joined(reader: StreamReader, writer: StreamWriter, tunnel: BreakableSocket): Promise<void> {
  await Promise.all([toTunnel(reader, tunnel), fromTunnel(tunnel, writer)])
  writer.close()
  tunnel.destroy()
}

async function toTunnel(reader: StreamReader, tunnel: Duplex): Promise<void> {
  for await (const bytes of reader.chunks())
    await new Promise<void>((resolve, reject) =>
      tunnel.write(bytes, error => (error ? reject(error) : resolve())),
    )
  tunnel.end()
}

async function fromTunnel(tunnel: Duplex, writer: StreamWriter): Promise<void> {
  for await (const bytes of tunnel.iterator({ destroyOnReturn: false })) {
    writer.write(bytes as Buffer)
    await writer.drain()
  }
  if (writer.canWriteEof()) writer.writeEof()
}
