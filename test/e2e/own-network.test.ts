/** Places and DNS servers that do not answer, and link-local addresses, in a network namespace where they are real. */
import { expect, test } from 'vitest'
import type { NetworkPlay } from '../fixtures/egress/network-play.ts'
import type { RenamedPlay } from '../fixtures/egress/renamed-play.ts'
import { findOwnNetwork } from '../support/own-network.ts'
import { makeFolder } from '../support/temporary-folder.ts'

const PLAY = new URL('../fixtures/egress/network-play.ts', import.meta.url).pathname
const RENAMED = new URL('../fixtures/egress/renamed-play.ts', import.meta.url).pathname
const SWALLOWING = '198.51.100.1'

/** A link whose other end drops what is sent to the swallowing address: no card there has that number. */
const LINK = [
  'ip link add veth0 type veth peer name veth1',
  'ip link set veth0 up',
  'ip link set veth1 up',
  'ip -6 addr add fe80::1/64 dev veth0 nodad',
  'ip addr add 198.51.100.9/24 dev veth0',
  `ip neigh add ${SWALLOWING} lladdr 02:00:00:00:00:01 dev veth0`,
]

let played: NetworkPlay | null = null

/** What the play prints in a network whose DNS server it is itself. */
async function inside(
  script: string,
  setUp: readonly string[],
  skip: (note: string) => never,
): Promise<unknown> {
  const text = 'nameserver 127.0.0.1\noptions timeout:1 attempts:1\n'
  const folder = await makeFolder({ 'resolv.conf': { text, mode: 0o644 } })
  const mount = `mount --bind ${folder}/resolv.conf /etc/resolv.conf`
  const network = await findOwnNetwork([], skip, { setUp: [...setUp, mount], ownFiles: true })
  const { code, stdout, stderr } = await network.run([process.execPath, script])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return JSON.parse(stdout)
}

/** Played once: each of the tests looks at its part. */
async function play(skip: (note: string) => never): Promise<NetworkPlay> {
  played ??= (await inside(PLAY, LINK, skip)) as NetworkPlay
  return played
}

const arrived = (to: string): object => ({ to, code: null })

test('a place that never answers leaves the next its share of the time, whether its name is deaf or itself', async ({
  skip,
}) => {
  const { swallowed, deaf, none, refused } = await play(skip)
  expect(swallowed).toMatchObject(arrived('127.0.0.1'))
  expect(deaf).toMatchObject(arrived('127.0.0.1'))
  expect(none).toMatchObject({
    code: 'CONNECT_TIMEOUT',
    message: expect.stringMatching(
      /^no connection within 600 ms: no answer for 198\.51\.100\.1 port 1 within its \d+ ms, connect ECONNREFUSED 127\.0\.0\.1:1, no answer from 198\.51\.100\.1 port 2$/,
    ),
  })
  expect(refused).toMatchObject({
    code: 'CONNECT_REFUSED',
    message:
      'Multiple exceptions: localhost port 1: connect ECONNREFUSED 127.0.0.1:1, connect ECONNREFUSED 127.0.0.2:1',
  })
}, 60_000)

test('names that a dead DNS server holds leave another name of the same I/O worker alone', async ({
  skip,
}) => {
  const { live } = await play(skip)
  expect(live).toMatchObject(arrived('127.0.0.1'))
})

test('a link-local address is dialled on its link, by the operator and by a rule, over TLS and to a server of ours', async ({
  skip,
}) => {
  const all = await play(skip)
  const there = arrived('fe80::1%veth0')
  for (const name of ['zone', 'number', 'bracketed', 'tls', 'served'])
    expect(all[name], name).toMatchObject(there)
  for (const rule of ['fe80::/10', 'fe80::%veth0/64', '[fe80::1%veth0]:*'])
    expect(all[`by ${rule}`], rule).toMatchObject(there)
})

test('a link-local address is denied where no rule of its link opens it, and fails where there is no such link', async ({
  skip,
}) => {
  const all = await play(skip)
  for (const rule of ['*', 'fe80::%veth1/64'])
    expect(all[`by ${rule}`], rule).toMatchObject({ code: 'TARGET_DENIED' })
  for (const name of ['absent', 'absentNumber'])
    expect(all[name], name).toMatchObject({
      code: 'CONNECT_FAILED',
      message: expect.stringContaining('this machine has no such interface'),
    })
})

test('connections to an address that a name has lost are closed, and a look-up that fails closes none', async ({
  skip,
}) => {
  const { to, released, closed, idle } = (await inside(RENAMED, [], skip)) as RenamedPlay
  expect(to).toEqual(['127.0.0.2', '127.0.0.3'])
  expect(released).toEqual({ outcome: 'closed', reason: 'dns' })
  expect(closed).toEqual({ moved: { dns: 1 }, held: { dns: 1 }, stays: {}, lost: {} })
  expect(idle).toEqual({ moved: 0, held: 1, stays: 1, lost: 1 })
}, 60_000)
