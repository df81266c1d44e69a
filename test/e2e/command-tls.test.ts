/** The commands that call a service, on a listener that speaks TLS and asks for client certificates. */
import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { run } from '../../src/command/command.ts'
import { afterFile } from '../support/after-file.ts'
import { captureStreams } from '../support/captured-streams.ts'
import { makeCertificate } from '../support/certificates.ts'
import { clientCertificate } from '../support/client-certificate.ts'
import { type ServiceFixture, startServiceFixture } from '../support/service-fixture.ts'
import { CLI, runCommand } from '../support/service-process.ts'

type Ran = { readonly code: number | string; readonly stdout: string; readonly stderr: string }

const OPS = { name: 'ops', sha256: createHash('sha256').update('ops-token').digest('hex') }

let service: ServiceFixture
/** PEM files, by name. */
let folder: string
let serverFiles: { readonly cert: string; readonly key: string }

beforeAll(async () => {
  const server = await makeCertificate()
  const named = await makeCertificate('sockpool.internal', [])
  const ops = await clientCertificate('ops')
  const nobody = await clientCertificate('nobody')
  const foreign = await clientCertificate('ops')
  serverFiles = server
  folder = await mkdtemp(join(tmpdir(), 'sockpool-command-tls-'))
  afterFile(() => rm(folder, { recursive: true }))
  const files = {
    'ca.pem': `${named.cert}\n${server.cert}`,
    'named.pem': named.cert,
    'server.pem': server.cert,
    'server.key': server.key,
    'ops.pem': `${ops.cert}\n${nobody.cert}`,
    'ops.key': ops.key,
    'nobody.pem': nobody.cert,
    'nobody.key': nobody.key,
    'foreign.pem': foreign.cert,
    'foreign.key': foreign.key,
    'text.pem': 'no PEM',
  }
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
  service = await startServiceFixture({
    demo: true,
    config: {
      auth: { tokens: [OPS] },
      http: { tls: { cert: 'cert.pem', key: 'key.pem', clientCa: 'clients.pem' } },
    },
    files: { 'cert.pem': server.cert, 'key.pem': server.key, 'clients.pem': `${ops.cert}\n${nobody.cert}` },
    finally: afterFile,
  })
})

const file = (name: string): string => join(folder, name)
const ca = (): string[] => ['--ca', file('ca.pem')]
const as = (name: string): string[] => ['--cert', file(`${name}.pem`), '--key', file(`${name}.key`)]

async function command(args: readonly string[], stdin = ''): Promise<Ran> {
  const streams = captureStreams(stdin)
  const code = await run(args, '1.2.3', streams)
  return { code, stdout: streams.text('stdout'), stderr: streams.text('stderr') }
}

const exchange = (...flags: string[]): Promise<Ran> =>
  command(['exchange', 'demo', '--url', service.url, ...flags], 'ping\n')
const healthcheck = (...flags: string[]): Promise<Ran> =>
  command(['healthcheck', '--url', service.url, ...flags])

describe('exchange over https', () => {
  test('is the holder of the token that the certificate names', async () => {
    expect(await exchange(...ca(), ...as('ops'))).toEqual({ code: 0, stdout: 'ping\n', stderr: '' })
  })

  test('sends a token beside a certificate that stands for nobody', async () => {
    const flags = [...ca(), ...as('nobody')]
    expect(await exchange(...flags, '--token', 'ops-token')).toMatchObject({ code: 0, stdout: 'ping\n' })
    expect(await exchange(...flags)).toMatchObject({ code: 1, stdout: '' })
  })

  test.each([
    ['no certificate', () => []],
    ['one of an authority that the service does not trust', () => as('foreign')],
  ])('exits 1 with %s, and says what to give', async (_title, flags) => {
    const { code, stdout, stderr } = await exchange(...ca(), ...flags())
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(
      /\(401 unauthorized\)\nGive a token .*, or a certificate with --cert and --key\.\n$/,
    )
  })

  test('exits 1 where nobody vouches for the service, and says how to trust it', async () => {
    for (const flags of [[], ['--ca', file('named.pem')]]) {
      const { code, stderr } = await exchange(...flags, ...as('ops'))
      expect(code).toBe(1)
      expect(stderr).toMatch(
        /certificate.*\nName the authority that signed its certificate with --ca FILE\.\n$/,
      )
    }
  })

  test('exits 1 where the service has another name than its certificate', async () => {
    const elsewhere = await startServiceFixture({
      config: { listen: '127.0.0.2:0', http: { tls: { cert: 'cert.pem', key: 'key.pem' } } },
      files: { 'cert.pem': serverFiles.cert, 'key.pem': serverFiles.key },
      finally: onTestFinished,
    })
    const { code, stderr } = await command(['healthcheck', '--url', elsewhere.url, ...ca()])
    expect(code).toBe(1)
    expect(stderr).toContain('Name the service in --url by a name that its certificate has.')
  })
})

describe('healthcheck over https', () => {
  test('needs no certificate of its own, and may show one', async () => {
    const ready = { code: 0, stdout: `${service.url} is ready\n`, stderr: '' }
    expect(await healthcheck(...ca())).toEqual(ready)
    expect(await healthcheck(...ca(), ...as('ops'))).toEqual(ready)
    expect(await healthcheck()).toMatchObject({ code: 1, stdout: '' })
  })

  test('asks the service that the environment configures, in a process of its own', async () => {
    const env = {
      SOCKPOOL_LISTEN: `127.0.0.1:${service.port}`,
      SOCKPOOL_HTTP_TLS_CERT: file('server.pem'),
      SOCKPOOL_HTTP_TLS_KEY: file('server.key'),
    }
    const node = [process.execPath, CLI, 'healthcheck']
    expect(await runCommand([...node, ...ca()], { env })).toEqual({
      code: 0,
      stdout: `https://127.0.0.1:${service.port} is ready\n`,
      stderr: '',
    })
    // Without https there is nothing for --ca to vouch for.
    const { SOCKPOOL_LISTEN } = env
    expect(await runCommand([...node, ...ca()], { env: { SOCKPOOL_LISTEN } })).toMatchObject({ code: 2 })
  })
})

describe('--ca, --cert and --key', () => {
  test.each([
    [['--cert', 'ops.pem'], '--cert needs the key of the certificate beside it; name its file with --key'],
    [['--key', 'ops.key'], '--key needs its certificate beside it; name its file with --cert'],
    [['--ca', 'none.pem'], /^--ca: cannot read the file: ENOENT/],
    [['--ca', 'text.pem'], /^--ca: .*text\.pem does not hold a certificate as PEM text/],
    [['--ca', 'ops.key'], /^--ca: .*ops\.key does not hold a certificate as PEM text/],
    [['--cert', 'ops.key', '--key', 'ops.key'], /^--cert: .*ops\.key does not hold a certificate/],
    [['--cert', 'ops.pem', '--key', 'ops.pem'], /^--key: .*ops\.pem does not hold a private key as PEM text/],
    [
      ['--cert', 'ops.pem', '--key', 'nobody.key'],
      /^--key: .*nobody\.key does not hold the key of the certificate in .*ops\.pem\n$/,
    ],
  ] as const)('%j exits 2 before anything is called', async (flags, message) => {
    const args = flags.map(flag => (flag.startsWith('--') ? flag : file(flag)))
    // Where nobody listens, so that a call would exit 1.
    const url = ['--url', 'https://127.0.0.1:1']
    for (const name of [['exchange', 'demo'], ['healthcheck']]) {
      const { code, stdout, stderr } = await command([...name, ...url, ...args])
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
      expect(stderr).toMatch(message)
      expect(stderr).not.toContain('-----')
    }
  })

  test('exit 2 beside an address that does not speak TLS, and beside none', async () => {
    const files = [...ca(), ...as('ops')]
    for (const [url, told] of [
      [['--url', 'http://127.0.0.1:1'], 'the address is http://127.0.0.1:1'],
      [['--url', 'unix:/tmp/x.sock'], 'the address is unix:/tmp/x.sock'],
      [[], 'name one with --url'],
    ] as const)
      expect(await command(['exchange', '127.0.0.1:1', ...url, ...files])).toEqual({
        code: 2,
        stdout: '',
        stderr: `--ca, --cert, --key: only for a service at https://HOST:PORT; ${told}\n`,
      })
  })

  test('stand in the help of both commands', async () => {
    for (const name of ['exchange', 'healthcheck']) {
      const { code, stdout } = await command([name, '--help'])
      expect(code).toBe(0)
      for (const flag of ['--ca <file>', '--cert <file>', '--key <file>']) expect(stdout).toContain(flag)
    }
  })
})
