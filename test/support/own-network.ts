/**
 * A command in a network namespace of its own: there is a loopback interface and nothing else, so nothing it sends
 * leaves the machine, and public addresses can be given to the loopback.
 *
 * An address is routed to the loopback rather than added to it: the service refuses to dial the addresses of its own
 * interfaces.
 */
import { runCommand } from './service-process.ts'

/** As root, or as a user who may be root of a user namespace. */
const WAYS = [
  ['unshare', '--net'],
  ['unshare', '--user', '--map-root-user', '--net'],
] as const

const { PATH: ownPath = '' } = process.env
/** With where `ip` lies, which is not on every user's path. */
const PATH = `${ownPath}:/usr/sbin:/sbin`

export type OwnNetwork = {
  /** Runs the command inside; its exit code and what it printed. */
  run(command: readonly string[]): ReturnType<typeof runCommand>
}

/**
 * A network whose loopback takes connections to these IPv4 addresses too. `skip` ends the test where none can be
 * made and none is required: SOCKPOOL_TEST_SERVICES=required makes a failure of it. `setUp`: what else is to be done in
 * there before the command, as lines of shell; with `ownFiles` it may mount over the files of the system.
 */
export async function findOwnNetwork(
  addresses: readonly string[],
  skip: (note: string) => never,
  { setUp = [], ownFiles = false }: { readonly setUp?: readonly string[]; readonly ownFiles?: boolean } = {},
): Promise<OwnNetwork> {
  const routes = addresses.map(address => `ip route add local ${address}/32 dev lo`)
  const script = ['set -e', 'ip link set lo up', ...routes, ...setUp, 'exec "$@"'].join('\n')
  const problems: string[] = []
  for (const way of WAYS) {
    const unshare = ownFiles ? [...way, '--mount'] : way
    const inside = (command: readonly string[]): ReturnType<typeof runCommand> =>
      runCommand([...unshare, 'sh', '-c', script, 'sh', ...command], { env: { PATH } })
    const problem = await inside(['true']).then(
      ({ code, stderr }) => (code === 0 ? null : stderr.trim()),
      (error: Error) => error.message,
    )
    if (problem === null) return { run: inside }
    problems.push(`${way.join(' ')}: ${problem}`)
  }
  const note =
    `no network namespace can be made here (${problems.join('; ')}); ` +
    'it takes unshare (util-linux), ip (iproute2), and root or user namespaces'
  const { SOCKPOOL_TEST_SERVICES } = process.env
  if (SOCKPOOL_TEST_SERVICES === 'required') throw new Error(note)
  console.warn(`SKIPPED: ${note}`)
  return skip(note)
}
