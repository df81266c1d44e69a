/** Acquire by generic-pool, 64 bytes there and back over a `net` socket, release. */
import { createPool } from 'generic-pool'
import { MESSAGE } from '../echo-work.ts'
import { type Runner, runFor } from '../hosting/runner.ts'
import { PlainClient } from './plain-client.ts'

export async function open(options: { readonly port: number; readonly atOnce: number }): Promise<Runner> {
  const { port, atOnce } = options
  const factory = {
    create: () => PlainClient.connect(port),
    destroy: async (client: PlainClient) => client.destroy(),
  }
  const pool = createPool(factory, { max: atOnce })
  const lend = async (): Promise<void> => {
    const client = await pool.acquire()
    await client.ask(MESSAGE)
    await pool.release(client)
  }
  return { run: ({ forMs }) => runFor(forMs, atOnce, lend) }
}
