/** Acquire by tarn, 64 bytes there and back over a `net` socket, release. */
import { Pool } from 'tarn'
import { MESSAGE } from '../echo-work.ts'
import { type Runner, runFor } from '../hosting/runner.ts'
import { PlainClient } from './plain-client.ts'

export async function open(options: { readonly port: number; readonly atOnce: number }): Promise<Runner> {
  const { port, atOnce } = options
  const pool = new Pool<PlainClient>({
    create: () => PlainClient.connect(port),
    destroy: client => client.destroy(),
    min: 0,
    max: atOnce,
  })
  const lend = async (): Promise<void> => {
    const client = await pool.acquire().promise
    await client.ask(MESSAGE)
    pool.release(client)
  }
  return { run: ({ forMs }) => runFor(forMs, atOnce, lend) }
}
