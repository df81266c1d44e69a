/** The real servers of the recipes: what each page's config names, started for one test. */
import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { ModbusTCPServer } from 'jsmodbus'
import { Server as Hl7Server } from 'node-hl7-server'
import { expect, onTestFinished } from 'vitest'
import { startIso8583Host } from './iso8583-host.ts'
import { startMailServer } from './mail-server.ts'
import { requireProgram, startProgramOn } from './own-program.ts'
import { startSlapd } from './own-slapd.ts'
import { startSshd } from './own-sshd.ts'
import type { Recipe, RecipePage, Surroundings } from './recipe.ts'
import { startScpiInstrument } from './scpi-instrument.ts'
import { findService } from './services.ts'
import { makeFolder } from './temporary-folder.ts'
import { refusingPort } from './test-server.ts'
import { testCertificate } from './tls-certs.ts'

type Skip = (note: string) => never

/** What a recipe needs around it, and what its servers must have seen when all of it was played. */
export type RecipeServers = Surroundings & {
  readonly afterwards?: () => void
  /** Variables of the recipe's programs, beside where the service is. */
  readonly variables?: (recipe: Recipe) => Readonly<Record<string, string>>
}

const PASSWORD = 'hunter2'

/** By the name of the page. */
export const RECIPE_SERVERS: Readonly<Record<string, (skip: Skip) => Promise<RecipeServers>>> = {
  hl7,
  iso8583,
  ldap,
  memcached,
  modbus,
  postgres,
  redis,
  scpi,
  smtp,
  ssh,
}

async function redis(skip: Skip): Promise<RecipeServers> {
  const own = ['--bind', '127.0.0.1', '--save', '', '--requirepass', PASSWORD]
  const place = await startProgramOn(
    { command: 'redis-server', from: 'redis-server', args: port => ['--port', `${port}`, ...own] },
    skip,
  )
  return { places: { 'redis.internal:6379': place }, environment: { REDIS_PASSWORD: PASSWORD } }
}

async function memcached(skip: Skip): Promise<RecipeServers> {
  const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : []
  const args = (port: number): string[] => ['-l', '127.0.0.1', '-p', `${port}`, '-U', '0', ...user]
  const place = await startProgramOn({ command: 'memcached', from: 'memcached', args }, skip)
  return { places: { 'memcached.internal:11211': place } }
}

async function smtp(): Promise<RecipeServers> {
  const certificate = await testCertificate()
  const server = await startMailServer(certificate, { user: 'app', password: PASSWORD })
  return {
    places: { 'mail.internal:587': server },
    files: { 'ca.pem': certificate.cert },
    environment: { MAIL_PASSWORD: PASSWORD },
    afterwards: () => {
      // Of the page, and of each language that is installed.
      expect(server.mails.length).toBeGreaterThanOrEqual(4)
      for (const mail of server.mails) expect(mail).toContain('Subject: Lunch')
      // One after the other: a second connection is dialled only where the first is still being looked at.
      expect(server.signedIn()).toBeLessThanOrEqual(2)
    },
  }
}

async function modbus(): Promise<RecipeServers> {
  const holding = Buffer.alloc(200)
  for (let register = 0; register < 100; register++) holding.writeUInt16BE(1_000 + register, register * 2)
  const server = createServer()
  let accepted = 0
  server.on('connection', () => accepted++)
  expect(new ModbusTCPServer(server, { holding }).holding).toHaveLength(200)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => new Promise<void>(resolve => server.close(() => resolve())))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  return {
    places: { 'plc.internal:502': { host: '127.0.0.1', port: address.port } },
    afterwards: () => expect(accepted).toBe(1),
  }
}

async function hl7(): Promise<RecipeServers> {
  const port = await refusingPort()
  const server = new Hl7Server({ bindAddress: '127.0.0.1' })
  const inbound = server.createInbound({ port }, (request, response) => {
    const isOfPatient = String(request.getMessage()).includes('\rPID|')
    void response.sendResponse(isOfPatient ? 'AA' : 'AE')
  })
  onTestFinished(async () => void (await inbound.close()))
  await once(inbound, 'listen')
  return { places: { 'hl7.internal:2575': { host: '127.0.0.1', port } } }
}

async function iso8583(): Promise<RecipeServers> {
  const host = await startIso8583Host()
  return {
    places: { 'host.bank.internal:7000': host },
    // Each connection has signed on, once and before anything else.
    afterwards: () => {
      expect(host.requests[0]).toBe('0800 001')
      expect(host.requests.filter(request => request === '0800 001')).toHaveLength(host.accepted)
    },
  }
}

async function ldap(skip: Skip): Promise<RecipeServers> {
  await requireProgram('ldapwhoami', 'ldap-utils', skip)
  const certificate = await testCertificate()
  const place = await startSlapd(certificate, skip)
  return { places: { 'ldap.internal:636': place }, files: { 'ca.pem': certificate.cert } }
}

async function postgres(skip: Skip): Promise<RecipeServers> {
  await requireProgram('psql', 'postgresql-client', skip)
  await requireProgram('pgbench', 'postgresql-contrib', skip)
  return {
    places: { 'db.internal:5432': await findService('postgres', skip) },
    variables: ({ ports }) => ({ PGPORT: `${ports.get('6432')}` }),
  }
}

async function ssh(skip: Skip): Promise<RecipeServers> {
  const program = await requireProgram('ssh', 'openssh-client', skip)
  const { key, user, ...place } = await startSshd(skip)
  const own = `-i ${key} -l ${user} -o IdentitiesOnly=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null`
  return {
    places: { 'box.internal:22': place },
    commands: async (page: RecipePage) => {
      const folder = await makeFolder({ config: { text: page.only('ssh-config') } })
      return {
        ssh: `exec ${program} -F ${join(folder, 'config')} ${own} -o LogLevel=ERROR -o BatchMode=yes "$@"`,
      }
    },
    variables: () => ({ SSH_KEY: key }),
  }
}

async function scpi(): Promise<RecipeServers> {
  const instrument = await startScpiInstrument()
  return {
    places: { 'dmm.lab:5025': instrument },
    afterwards: () => expect([instrument.accepted, instrument.turnedAway()]).toEqual([1, 0]),
  }
}
