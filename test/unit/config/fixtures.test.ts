import { describe, expect, it } from 'vitest'
import { run } from '../../../src/command/command.ts'
import { captureStreams } from '../../support/captured-streams.ts'

const DURATION = 'must be a duration such as 30s, 5m or 250ms (a plain number is milliseconds), from'
const NAME =
  'must be a name of 1 to 64 letters, digits, dots, dashes or underscores that begins with a letter or a digit'

const BROKEN: Readonly<Record<string, readonly string[]>> = {
  'unknown-keys.yaml': [
    'limits.bodyByte: is not a known key; did you mean "bodyBytes"?',
    'targets.cache.pool.idleTimeoutMs: is not a known key; did you mean "idleTimeout"?',
    'targets.cache.colour: is not a known key; known here: host, port, hosts, balance, tls, pool, breaker, preset, onConnect, probe, onRelease, frame, multiplex, reuse, leakDetection',
    'listn: is not a known key; did you mean "listen"?',
  ],
  'wrong-types.yaml': [
    'ioWorkers: must be a whole number from 1 to 256, not "many"',
    'parse.workers: must be a whole number from 1 to 256, not 1.5',
    'parse.isolation: must be one of thread, process, auto, not "fork"',
    'http.hosts: must be a list, not "sockpool.internal"',
    'http.threads: must be a whole number from 1 to 256, not true',
    'egress: must be a mapping, not a list',
    'limits.leases: must be a whole number from 1 to 65536, not "10"',
    'limits.waiters: must be a whole number from 0 to 1000000, not a list',
  ],
  'bad-units.yaml': [
    'limits.bodyBytes: must be a size such as 64KiB or 16MiB (a plain number is bytes), from 1B to 1GiB, not "16MB"',
    `limits.operationTimeout: ${DURATION} 1ms to 24d, not "30 seconds"`,
    `limits.drainTimeout: ${DURATION} 0ms to 24d, not -1`,
    `targets.cache.pool.idleTimeout: ${DURATION} 1ms to 24d, not 0`,
    `targets.cache.pool.maxLifetime: ${DURATION} 1ms to 24d, not "30d"`,
    `targets.cache.pool.leaseTtl: ${DURATION} 1ms to 24d, not "1.5ms"`,
    `targets.cache.leakDetection: ${DURATION} 1ms to 24d, not "soon"`,
  ],
  'bad-addresses.yaml': [
    'listen: must be HOST:PORT, [IPV6]:PORT, unix:PATH or fd:N with N from 3, not 7070',
    'egress.dnsServers.0: must be an address such as 10.0.0.53 or [fd00::53]:53, not "dns.example.com"',
    'ingress.listen.0: must be a rule HOST:PORTS such as 127.0.0.1:0 or [::1]:8000-8999, not "127.0.0.1"',
    'ingress.listen.1: must be a rule HOST:PORTS such as 127.0.0.1:0 or [::1]:8000-8999, not "127.0.0.1:70000"',
    'ingress.listen.2: must be a rule HOST:PORTS such as 127.0.0.1:0 or [::1]:8000-8999, not "unix:/run/x.sock"',
    'targets.cache.hosts.1: must be HOST:PORT with a port from 1 to 65535, not "b"',
    'targets.cache.hosts.2: must be HOST:PORT with a port from 1 to 65535, not "c:0"',
    'targets.store.host: must be a host name or an IP address, not "http://10.0.0.5"',
    'targets.store.port: must be a whole number from 1 to 65535, not 0',
    'ingress.listen.3: host is neither a name nor an IP address in its canonical spelling',
  ],
  'bad-targets.yaml': [
    `targets.no spaces: ${NAME}`,
    `targets.constructor: ${NAME}`,
    'targets.empty.host: is required: a host and a port, or hosts',
    'targets.both.host: cannot stand beside hosts; use one of them',
    'targets.both.port: cannot stand beside hosts, which name their ports',
    'targets.portless.port: is required beside host',
    'targets.tight.pool.min: must not be above pool.max, which is 2',
    'targets.half.tls.key: is required beside cert',
  ],
  'bad-dialogs.yaml': [
    'targets.cache.onConnect.0: must be one of {send: …}, {expect: …}, {tls: …}, {wait: …}',
    'targets.cache.onConnect.1.say: is not a known key; known here: send, expect, tls, wait, capture, timeout, when',
    'targets.cache.probe: must have at least 1 entry',
    'targets.cache.onRelease: must be a list, not a mapping',
    'targets.cache.frame: must be one of line, crlf, resp, memcached, http1, smtp, postgres, mllp, modbus, dns, iso8583, or an object with one of lengthField, delimiter, fixed, module',
    'targets.cache.reuse: must be one of clean, never, not "always"',
  ],
  'bad-tokens.yaml': [
    'auth.tokens.0.sha256: must be 64 hexadecimal digits, not this string',
    'auth.tokens.1.name: must be a name of 1 to 64 characters without spaces, not "two words"',
    'auth.tokens.1.admin: must be true or false, not "yes"',
    'auth.tokens.2: must be a mapping, not "ops"',
  ],
  'bad-references.yaml': [
    'listen: refers to the environment variable SOCKPOOL_FIXTURE_UNSET, which is not set',
    'ioWorkers: refers to the environment variable SOCKPOOL_FIXTURE_WORD, which is not set',
    'forwards.1.target: must be the name of a target, not a list',
    'forwards.1.listen: is required: HOST:PORT, [IPV6]:PORT or unix:PATH',
    'forwards.0.target: must be the name of a target, and none is called "cache"',
    'egress.allow.1: rule "10.0.0.0/40": the prefix must be 0..32',
    expect.stringMatching(/^egress\.allow\.2: rule "\*\.\*": /),
  ],
  'bad-syntax.yaml': [
    'line 2, column 1: Map keys must be unique',
    expect.stringMatching(/^line 4, column 1: Flow map in block collection must be/),
  ],
  'bad-root.json': ['must be a mapping of keys, such as "listen: 127.0.0.1:7070"'],
}

const folder = new URL('../../fixtures/config/', import.meta.url).pathname

async function validate(name: string): Promise<{ code: number; lines: string[] }> {
  const streams = captureStreams()
  const code = await run(['config', 'validate', folder + name], '0.0.0', streams)
  const lines = streams.text('stderr').trimEnd().split('\n')
  return { code, lines: lines.map(line => line.replace(`${folder}${name}: `, '')) }
}

describe('config validate', () => {
  it.each(Object.keys(BROKEN))('tells every error of %s and exits 2', async name => {
    const { code, lines } = await validate(name)
    expect(lines).toEqual(BROKEN[name])
    expect(code).toBe(2)
  })

  it('tells every unreadable file of bad-files.yaml, relative to the config', async () => {
    const { code, lines } = await validate('bad-files.yaml')
    expect(lines).toEqual([
      `http.tls.cert: must name a readable file: ENOENT: no such file or directory, open '${folder}missing.pem'`,
      'http.tls.key: is required: the path of a PEM file',
      'targets.cache.tls.ca: must name a PEM file, and "./bad-files.yaml" holds no PEM text',
      'targets.cache.tls.alpn: must have at least 1 entry',
      'targets.cache.tls.minVersion: must be one of TLSv1.2, TLSv1.3, not "SSLv3"',
    ])
    expect(code).toBe(2)
  })

  it('puts the file in front of each line', async () => {
    const streams = captureStreams()
    await run(['config', 'validate', `${folder}bad-root.json`], '0.0.0', streams)
    expect(streams.text('stderr')).toBe(
      `${folder}bad-root.json: must be a mapping of keys, such as "listen: 127.0.0.1:7070"\n`,
    )
    expect(streams.text('stdout')).toBe('')
  })

  it('exits 0 for a file without errors', async () => {
    const streams = captureStreams()
    expect(await run(['config', 'validate', `${folder}whole.yaml`], '0.0.0', streams)).toBe(0)
    expect(streams.text('stdout')).toBe(`${folder}whole.yaml: valid\n`)
  })
})
