/** So many idle `net` sockets: what each takes, and after 64 bytes there and back on each. */
import { dialling, withEach } from '../dialling.ts'
import { MESSAGE } from '../echo-work.ts'
import type { Runner } from '../hosting/runner.ts'
import { settledBytes } from '../resident.ts'
import { PlainClient } from './plain-client.ts'

const KIB = 1_024

export async function open(options: { readonly port: number; readonly count: number }): Promise<Runner> {
  const { port, count } = options
  const first = await PlainClient.connect(port)
  first.destroy()
  const before = await settledBytes(0)
  const run: Runner['run'] = async ({ share }) => {
    const beganMs = performance.now()
    const clients = await dialling(count, () => PlainClient.connect(port))
    const elapsedMs = performance.now() - beganMs
    const dialled = await settledBytes(share)
    await withEach(clients, client => client.ask(MESSAGE))
    const used = await settledBytes(share)
    // The peer has no room for another contender's beside.
    for (const client of clients) client.destroy()
    const others = { kib: (dialled - before) / KIB / count, kibUsed: (used - before) / KIB / count }
    return { count: clients.length, elapsedMs, others }
  }
  return { run }
}
