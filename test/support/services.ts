/**
 * The real servers that some tests speak to: at their standard ports, or where SOCKPOOL_TEST_REDIS=host:port and
 * its like say. A test skips where none answers, and says so; with SOCKPOOL_TEST_SERVICES=required it fails.
 */
import { connect } from 'node:net'

const STANDARD_PORTS = {
  redis: 6379,
  postgres: 5432,
  mariadb: 3306,
  rabbitmq: 5672,
  mosquitto: 1883,
  nats: 4222,
} as const

export type ServiceName = keyof typeof STANDARD_PORTS

export type Place = { readonly host: string; readonly port: number }

/** Milliseconds a server has to accept. */
const ACCEPT_TIMEOUT_MS = 2_000

/** Where the server is that answers; `skip` ends the test where none does and none is required. */
export async function findService(name: ServiceName, skip: (note: string) => never): Promise<Place> {
  const place = placeOf(name)
  const problem = await reach(place)
  if (problem === null) return place
  const note =
    `no ${name} at ${place.host}:${place.port} (${problem}); ` +
    `start one there, or name another place with SOCKPOOL_TEST_${name.toUpperCase()}=host:port`
  const { SOCKPOOL_TEST_SERVICES } = process.env
  if (SOCKPOOL_TEST_SERVICES === 'required') throw new Error(note)
  console.warn(`SKIPPED: ${note}`)
  return skip(note)
}

function placeOf(name: ServiceName): Place {
  const variable = `SOCKPOOL_TEST_${name.toUpperCase()}`
  const given = process.env[variable]
  if (given === undefined || given === '') return { host: '127.0.0.1', port: STANDARD_PORTS[name] }
  const [, host = '', port] = /^(.+):(\d{1,5})$/.exec(given) ?? []
  if (host === '') throw new Error(`${variable} must be host:port, not ${JSON.stringify(given)}`)
  return { host, port: Number(port) }
}

function reach({ host, port }: Place): Promise<string | null> {
  return new Promise(resolve => {
    const socket = connect({ host, port, timeout: ACCEPT_TIMEOUT_MS })
    const settle = (problem: string | null): void => {
      socket.destroy()
      resolve(problem)
    }
    socket.once('connect', () => settle(null))
    socket.once('timeout', () => settle('it does not accept in time'))
    socket.once('error', error => settle(error.message))
  })
}
