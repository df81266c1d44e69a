/** Runs cases in an attached thread, on leases of the pool of the thread that started this one. */
import { inspect } from 'node:util'
import { parentPort, workerData } from 'node:worker_threads'
import { attachPool } from '../../../src/library/attach-pool.ts'
import type { AttachedPool } from '../../../src/pool/attached/attached-pool.ts'
import type { LeaseOptions } from '../../../src/pool/lease/lease-options.ts'
import type { StreamReader } from '../../../src/streams/reading/stream-reader.ts'
import type { StreamWriter } from '../../../src/streams/writing/stream-writer.ts'
import { CASES } from '../cases.ts'
import { onCaseFinished, runCase } from '../surface.ts'
import type { Transport } from '../transport.ts'
import type { AttachedSetUp, FromAttached, ToAttached } from './attached.ts'
import { PeerServer } from './peer-server.ts'
import { socketLink } from './socket-link.ts'
import { type Leased, warmLease } from './warm-lease.ts'

const { isTls } = workerData as AttachedSetUp
const server = await PeerServer.start(isTls)
const { port, ca } = server
let pool: AttachedPool | null = null
tell({ kind: 'listening', port, ca })

parentPort?.on('message', (message: ToAttached) => void answer(message))

function tell(message: FromAttached): void {
  parentPort?.postMessage(message)
}

async function answer(message: ToAttached): Promise<void> {
  try {
    await perform(message)
    tell({ kind: 'done' })
    if (message.kind === 'end') parentPort?.close()
  } catch (error) {
    const { message: text, stack } = error instanceof Error ? error : new Error(inspect(error))
    tell({ kind: 'failed', message: text, stack: stack ?? text })
  }
}

async function perform(message: ToAttached): Promise<void> {
  switch (message.kind) {
    case 'pool':
      pool = attachPool(message.handle)
      return
    case 'run': {
      const entry = CASES.find(({ title }) => title === message.title)
      if (entry === undefined || pool === null) throw new Error(`there is no case ${message.title}`)
      return await runCase(entry, transportOf(pool))
    }
    case 'end':
      await pool?.close()
      await server.close()
      return
    default:
      message satisfies never
  }
}

function transportOf(attachedPool: AttachedPool): Transport {
  return {
    open: async options => {
      onCaseFinished(() => server.clear())
      const { lease, served } = await warmLease(own => leaseOf(attachedPool, own), server, options ?? {})
      return socketLink(lease.reader, lease.writer, served)
    },
    dial: async refusing => await attachedPool.lease({ host: '127.0.0.1', port: refusing }),
  }
}

/** What breaks a connection is told as asyncio tells it. */
async function leaseOf(
  attachedPool: AttachedPool,
  options: LeaseOptions = {},
): Promise<Leased<StreamReader, StreamWriter>> {
  const lease = await attachedPool.lease('it', { onReset: 'raise', ...options })
  onCaseFinished(() => lease.discard())
  const { reader, writer, reused, connection } = lease
  return { reader, writer, reused, localPort: connection.localPort, release: () => lease.release() }
}
