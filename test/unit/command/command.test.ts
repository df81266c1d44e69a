import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { run } from '../../../src/command/command.ts'
import { captureStreams } from '../../support/captured-streams.ts'
import { command, serverAt } from '../../support/own-command.ts'
import { makeFolder } from '../../support/temporary-folder.ts'

describe('sockpool', () => {
  it('shows help and version with exit code 0', async () => {
    const help = await command(['--help'])
    expect(help).toMatchObject({ code: 0, stderr: '' })
    for (const name of ['serve', 'config', 'exchange', 'healthcheck', 'demo'])
      expect(help.stdout).toContain(name)
    expect(await command(['--version'])).toEqual({ code: 0, stdout: '1.2.3\n', stderr: '' })
    expect((await command(['serve', '--help'])).code).toBe(0)
  })

  it.each([
    [[]],
    [['bogus']],
    [['config']],
    [['config', 'validate']],
    [['serve', '--bogus']],
    [['serve', 'extra']],
    [['serve', '--listen']],
    [['serve', '--log-level', 'loud']],
    [['serve', '--no-auth', '--token-file', 'x']],
    [['bogus', '--help']],
    [['config', 'bogus', '-h']],
    [['top', '--interval', '1ms']],
    [['top', '--interval', 'soon']],
    [['drain', 'it', '--timeout', 'soon']],
    [['exchange']],
    [['exchange', 'a:1', '--read', 'word']],
    [['exchange', 'cache']],
    [['exchange', 'a:0']],
    [['healthcheck', '--url', '127.0.0.1:7070']],
    [['healthcheck', '--ca', 'ca.pem']],
    [['healthcheck', '--url', 'unix:/x', '--ca', 'ca.pem']],
    [['healthcheck', '--url', 'https://127.0.0.1:1', '--cert', 'cert.pem']],
    [['healthcheck', '--url', 'https://127.0.0.1:1', '--key', 'key.pem']],
    [['healthcheck', '--url', 'https://127.0.0.1:1', '--ca']],
    [['healthcheck', '--url', 'https://127.0.0.1:1', '--ca', '/nowhere/ca.pem']],
    [['exchange', 'a:1', '--ca', 'ca.pem']],
    [['exchange', 'a:1', '--url', 'http://127.0.0.1:1', '--cert', 'cert.pem', '--key', 'key.pem']],
    [['exchange', 'a:1', '--url', 'https://127.0.0.1:1', '--cert', 'cert.pem']],
  ])('answers the usage error %j with exit code 2 and a hint on stderr', async args => {
    const { code, stdout, stderr } = await command(args)
    expect(code).toBe(2)
    expect(stdout).toBe('')
    expect(stderr).not.toBe('')
  })
})

describe('serve', () => {
  it('refuses a faulty configuration with every error and exit code 2', async () => {
    const file = join(await makeFolder(), 'config.yaml')
    await writeFile(file, 'limits: { leases: 0 }\n')
    const args = [
      'serve',
      '--config',
      file,
      '--io-workers',
      'x',
      '--listen',
      '0.0.0.0:1',
      '--no-auth',
      '--allow',
      '*.*',
    ]
    const { code, stderr } = await command(args)
    expect(code).toBe(2)
    expect(stderr.trimEnd().split('\n')).toEqual([
      '--io-workers: ioWorkers: must be a whole number from 1 to 256, not "x"',
      `${file}: limits.leases: must be a whole number from 1 to 65536, not 0`,
      expect.stringMatching(/^--allow: egress\.allow\.0: rule "\*\.\*": /),
      '--no-auth: is accepted on loopback and unix-socket listeners only, and listen is 0.0.0.0:1',
    ])
  })

  it('takes several --allow without eating what follows', async () => {
    const { stderr } = await command([
      'serve',
      '--allow',
      'bad rule',
      '--allow',
      '10.0.0.0/99',
      '--io-workers',
      '0',
    ])
    expect(stderr.match(/egress\.allow\.\d/g)).toEqual(['egress.allow.0', 'egress.allow.1'])
  })
})

describe('the path of a unix socket beyond what the system takes', () => {
  const long = `unix:/${'é'.repeat(60)}`

  it.each([
    ['serve', '--listen', long],
    ['healthcheck', '--url', long],
    ['exchange', 'cache', '--url', long],
  ])('is refused by %s %s with its length, in bytes', async (...args) => {
    const { code, stderr } = await command(args)
    expect(code).toBe(2)
    expect(stderr).toMatch(/is too long: 121 bytes, .* at most \d+/)
  })

  it('is refused in a file, with its place', async () => {
    const file = join(await makeFolder(), 'config.yaml')
    await writeFile(file, `listen: "${long}"\nforwards: [{ listen: "${long}", target: a }]\n`)
    const { code, stderr } = await command(['config', 'validate', file])
    expect(code).toBe(2)
    expect(stderr).toMatch(/config\.yaml: listen: is too long: 121 bytes/)
    expect(stderr).toMatch(/config\.yaml: forwards\.0\.listen: is too long: 121 bytes/)
  })
})

describe('config print', () => {
  it('shows the file with its defaults', async () => {
    const file = join(await makeFolder(), 'config.yaml')
    await writeFile(file, 'limits: { leases: 5 }\n')
    const { code, stdout } = await command(['config', 'print', file])
    expect(code).toBe(0)
    expect(stdout).toContain('leases: 5\n  waiters: 10000')
  })

  it('exits 2 for a faulty file', async () => {
    const file = join(await makeFolder(), 'config.yaml')
    await writeFile(file, 'limits: { leases: 0 }\n')
    expect(await command(['config', 'print', file])).toMatchObject({ code: 2, stdout: '' })
  })
})

describe('healthcheck', () => {
  it('exits 0 where the service is ready', async () => {
    const paths: (string | undefined)[] = []
    const url = await serverAt((request, response) => {
      paths.push(request.url)
      response.end('{}')
    })
    expect(await command(['healthcheck', '--url', url])).toEqual({
      code: 0,
      stdout: `${url} is ready\n`,
      stderr: '',
    })
    expect(paths).toEqual(['/readyz'])
  })

  it('asks over a unix socket', async () => {
    const url = await serverAt(
      (_request, response) => response.end('{}'),
      join(await makeFolder(), 'api.sock'),
    )
    expect(await command(['healthcheck', '--url', url])).toMatchObject({ code: 0 })
  })

  it('exits 1 where it is not ready, and says why', async () => {
    const url = await serverAt((_request, response) => {
      response.writeHead(503, { 'content-type': 'application/problem+json' })
      response.end(JSON.stringify({ title: 'x', detail: 'The service is draining', code: 'draining' }))
    })
    const { code, stderr } = await command(['healthcheck', '--url', url])
    expect(code).toBe(1)
    expect(stderr).toBe(`${url} is not ready: The service is draining (503 draining)\n`)
  })

  it('exits 1 where nothing answers, and says what to do', async () => {
    const missing = `unix:${join(await makeFolder(), 'none.sock')}`
    const { code, stderr } = await command(['healthcheck', '--url', missing])
    expect(code).toBe(1)
    expect(stderr).toContain(`cannot reach ${missing}: connect ENOENT`)
    expect(stderr).toContain('Is "sockpool serve" running there?')
  })
})

describe('exchange --url', () => {
  const reply = Buffer.from([0, 0xff, 0x0a])

  async function echoService(): Promise<{ url: string; seen: unknown[] }> {
    const seen: unknown[] = []
    const url = await serverAt(async (request, response) => {
      const { method, url: path, headers } = request
      const json: unknown = JSON.parse((await buffer(request)).toString('utf8'))
      seen.push({ method, path, authorization: headers.authorization, type: headers['content-type'], json })
      response.end(reply)
    })
    return { url, seen }
  }

  it('sends stdin and prints the reply byte for byte', async () => {
    const { url, seen } = await echoService()
    const streams = captureStreams('ping\n')
    const printed: Buffer[] = []
    streams.stdout.on('data', (chunk: Buffer) => printed.push(chunk))
    const args = ['exchange', 'cache', '--read', 'until:\\r\\n', '--url', url, '--token', 't']
    expect(await run(args, '1.2.3', streams)).toBe(0)
    expect(Buffer.concat(printed)).toEqual(reply)
    expect(seen).toEqual([
      {
        method: 'POST',
        path: '/v1/exchange',
        authorization: 'Bearer t',
        type: 'application/json',
        json: { target: 'cache', write: { base64: 'cGluZwo=' }, read: { until: ['\r\n'] } },
      },
    ])
  })

  it('names an address as an ad-hoc target', async () => {
    const { url, seen } = await echoService()
    await command(['exchange', '[::1]:6379', '--url', url])
    expect(seen).toMatchObject([{ json: { target: { host: '::1', port: 6379 }, read: { line: true } } }])
  })

  it('exits 1 with the problem, and asks for a token where one is needed', async () => {
    const url = await serverAt((_request, response) => {
      response.writeHead(401, { 'content-type': 'application/problem+json' })
      response.end(JSON.stringify({ detail: 'A valid token is required', code: 'unauthorized' }))
    })
    expect(await command(['exchange', 'cache', '--url', url])).toEqual({
      code: 1,
      stdout: '',
      stderr: 'A valid token is required (401 unauthorized)\nGive a token with --token or SOCKPOOL_TOKEN.\n',
    })
  })

  it('does not follow a redirect with its token', async () => {
    let followed = false
    const elsewhere = await serverAt((_request, response) => {
      followed = true
      response.end()
    })
    const url = await serverAt((_request, response) => {
      response.writeHead(307, { location: elsewhere })
      response.end()
    })
    expect((await command(['exchange', 'cache', '--url', url, '--token', 't'])).code).toBe(1)
    expect(followed).toBe(false)
  })
})
