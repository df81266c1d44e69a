// Asks the box by `ssh2`, unchanged, over a lease: its `sock` option takes one. SSH_KEY names the file of a private key.
import { readFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { connectPool } from 'sockpool/client'
import ssh2 from 'ssh2'

const { SOCKPOOL_URL: url = 'http://127.0.0.1:7070', SOCKPOOL_TOKEN: token = '', SSH_KEY = '' } = process.env
const pool = connectPool(url, { token })
const lease = await pool.lease('box')
const client = new ssh2.Client()
client.connect({ sock: lease.toDuplex(), username: userInfo().username, privateKey: await readFile(SSH_KEY) })
await new Promise((resolve, reject) => client.once('ready', resolve).once('error', reject))
const channel = await new Promise((resolve, reject) =>
  client.exec('echo $((6 * 7))', (error, opened) => (error ? reject(error) : resolve(opened))),
)
for await (const chunk of channel) process.stdout.write(chunk)
client.end()
await pool.close()
