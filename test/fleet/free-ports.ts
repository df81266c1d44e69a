/**
 * Ports that can be had again and again: below those that the system gives to whoever dials, one of which could have taken the port
 * of an instance that is down.
 */
import { once } from 'node:events'
import { createServer } from 'node:net'

const FIRST = 18_000
const COUNT = 14_000
/** So many in a row are never taken. */
const TRIES_MAX = 1_000

export async function freePorts(count: number): Promise<readonly number[]> {
  const ports: number[] = []
  const start = Math.floor(Math.random() * COUNT)
  for (let tried = 0; ports.length < count; tried++) {
    if (tried > TRIES_MAX) throw new Error(`there are no ${count} free ports`)
    const port = FIRST + ((start + tried) % COUNT)
    if (await isFree(port)) ports.push(port)
  }
  return ports
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  const tried = once(server, 'listening').then(
    () => true,
    () => false,
  )
  server.listen(port, '127.0.0.1')
  if (!(await tried)) return false
  server.close()
  await once(server, 'close')
  return true
}
