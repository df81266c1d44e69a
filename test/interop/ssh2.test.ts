/** `ssh2`, unchanged, over leased connections to an SSH server in this process: its `sock` option takes them. */
import { once } from 'node:events'
import ssh2 from 'ssh2'
import { describe, expect, onTestFinished, test } from 'vitest'
import { watchLeaks } from '../support/leak-watch.ts'
import { LARGE_BYTES, type LeasedSockets, leaseSockets, ROUNDS } from '../support/leased-sockets.ts'

const { Client, Server, utils } = ssh2

/** Echoes what comes on the channel of every command; `sockets` are the ends of its connections. */
/** Some of the keys that ssh2 makes are such as it cannot read: others are made then. */
function hostKey(): string {
  for (;;) {
    const { private: key } = utils.generateKeyPairSync('ed25519')
    if (!(utils.parseKey(key) instanceof Error)) return key
  }
}

async function startSshServer(): Promise<number> {
  watchLeaks()
  const key = hostKey()
  const clients = new Set<ssh2.Peer>()
  const server = new Server({ hostKeys: [key] }, client => {
    clients.add(client)
    client.on('error', () => {})
    client.on('authentication', context => context.accept())
    client.on('session', acceptSession => {
      acceptSession().on('exec', (acceptExec, _reject, { command }) => {
        const channel = acceptExec()
        if (command === 'hang up') client.end()
        else if (command === 'cat') channel.pipe(channel).on('finish', () => channel.exit(0))
        else {
          channel.write(command)
          channel.exit(0)
          channel.end()
        }
      })
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    for (const client of clients) client.end()
    server.close()
    await once(server, 'close')
  })
  return server.address().port
}

async function open(): Promise<{ sockets: LeasedSockets; client: ssh2.Client }> {
  const sockets = await leaseSockets({ host: '127.0.0.1', port: await startSshServer() })
  const sock = await sockets.socket()
  const client = new Client()
  onTestFinished(() => void sock.destroy())
  client.connect({ sock, username: 'it', password: 'any' })
  await once(client, 'ready')
  return { sockets, client }
}

function execute(client: ssh2.Client, command: string): Promise<ssh2.Channel> {
  return new Promise((resolve, reject) =>
    client.exec(command, (error, channel) => (error ? reject(error) : resolve(channel))),
  )
}

async function allOf(channel: ssh2.Channel): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of channel) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

describe('ssh2 over a lease', () => {
  test('runs 1,000 commands, each with its own output', async () => {
    const { sockets, client } = await open()
    const outputs: string[] = []
    for (let index = 0; index < ROUNDS; index += 10) {
      const batch = Array.from({ length: 10 }, async (_, at) =>
        String(await allOf(await execute(client, `command ${index + at}`))),
      )
      outputs.push(...(await Promise.all(batch)))
    }
    expect(outputs).toEqual(outputs.map((_, index) => `command ${index}`))
    client.end()
    await sockets.settled()
  })

  test('carries 10 MB there and back', async () => {
    const { sockets, client } = await open()
    const sent = Buffer.alloc(LARGE_BYTES, 'sockpool ')
    const channel = await execute(client, 'cat')
    const received = allOf(channel)
    channel.end(sent)
    expect((await received).equals(sent)).toBe(true)
    client.end()
    await sockets.settled()
  })

  test('notices that the server hung up', async () => {
    const { sockets, client } = await open()
    const closed = once(client, 'close')
    const channel = await execute(client, 'hang up')
    channel.resume()
    await closed
    await expect(execute(client, 'late')).rejects.toThrow('Not connected')
    await sockets.settled()
  })
})
