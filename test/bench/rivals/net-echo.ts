/** Echo on the main thread: one listener per socket for good, one promise per reply, as few steps as that takes. */
import { type EchoOptions, MESSAGE, work } from '../echo-work.ts'
import { type Runner, runFor } from '../hosting/runner.ts'
import { PlainClient } from './plain-client.ts'

export async function open({ port, connections, turns }: EchoOptions): Promise<Runner> {
  const clients = await Promise.all(Array.from({ length: connections }, () => PlainClient.connect(port)))
  const ask = async (client: PlainClient): Promise<void> => work(await client.ask(MESSAGE), turns)
  return { run: ({ forMs }) => runFor(forMs, connections, index => ask(clients[index] as PlainClient)) }
}
