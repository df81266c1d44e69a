import { readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DEFAULTS } from '../../../src/base/defaults.ts'
import { ConfigError } from '../../../src/config/config-error.ts'
import { type ConfigSources, loadConfig, loadEffective } from '../../../src/config/load.ts'
import { printConfig } from '../../../src/config/print.ts'
import { hashToken } from '../../../src/config/token-file.ts'

const WHOLE = new URL('../../fixtures/config/whole.yaml', import.meta.url).pathname
const PAIR = new URL('../../fixtures/config/pair.pem', import.meta.url).pathname

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'config-load-'))
})
afterEach(async () => {
  await rm(folder, { recursive: true })
})

function write(name: string, content: string, mode = 0o600): string {
  const file = join(folder, name)
  writeFileSync(file, content, { mode })
  return file
}

function faultsOf(sources: ConfigSources): string[] {
  try {
    loadConfig({ environment: {}, ...sources })
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n')
    throw error
  }
  return []
}

describe('loadConfig', () => {
  it('gives every default where nothing is said', () => {
    expect(loadConfig({ environment: {} })).toEqual({
      listen: { kind: 'tcp', host: '127.0.0.1', port: 7070 },
      ioWorkers: Math.max(1, availableParallelism() - 1),
      parse: { workers: 1, isolation: 'auto', formats: {} },
      auth: { tokens: [] },
      http: { hosts: [], origins: [], threads: 1, accessLog: 'errors', tls: null },
      egress: { allow: [], dnsServers: [] },
      ingress: { listen: [] },
      limits: {
        leases: 10_000,
        waiters: 10_000,
        bodyBytes: 16_777_216,
        operationTimeoutMs: 30_000,
        drainTimeoutMs: 30_000,
      },
      targets: {},
      forwards: [],
      fleet: null,
      telemetry: { traces: 'off' },
      metrics: {},
      logLevel: 'info',
    })
  })

  it('reads a file that uses every key', () => {
    const [cert = '', key = ''] = readFileSync(PAIR, 'utf8').split(/(?=-----BEGIN PRIVATE)/)
    const config = loadConfig({ environment: {}, file: WHOLE })
    expect(config.http.tls).toEqual({ cert, key, clientCa: cert })
    expect(config.auth).toEqual({
      tokens: [{ name: 'ops', sha256: 'b'.repeat(64), targets: ['*'], admin: true }],
    })
    expect(config.ingress.listen).toEqual([{ host: '127.0.0.1', firstPort: 0, lastPort: 0 }])
    expect(config.forwards).toEqual([
      {
        listen: { kind: 'tcp', host: '127.0.0.1', port: 6380 },
        target: 'cache',
        mode: 'session',
        tls: null,
        proxyProtocol: false,
      },
    ])
    expect(config.fleet).toEqual({
      url: 'redis://valkey:6379',
      name: 'pod-7',
      advertise: 'http://10.1.2.3:7070',
      caps: { cache: 100 },
      onEngineLoss: 'share',
      expected: 3,
      secret: '0123456789abcdef0123456789abcdef',
      tls: { ca: cert, cert, key },
    })
    expect(config.telemetry).toEqual({ traces: 'otlp' })
    expect(config.targets).toEqual({
      cache: {
        hosts: [{ host: '10.0.0.5', port: 6379 }],
        balance: 'round-robin',
        tls: {
          servername: 'cache.internal',
          ca: cert,
          cert,
          key,
          alpn: ['redis'],
          minVersion: 'TLSv1.2',
        },
        pool: {
          min: 2,
          max: 32,
          idleTimeoutMs: 60_000,
          maxLifetimeMs: 1_800_000,
          waitTimeoutMs: 5_000,
          leaseTtlMs: 30_000,
          connectTimeoutMs: 3_000,
          maxUses: 0,
          probeAfterMs: 30_000,
          keepaliveMs: 0,
          maxConnecting: 4,
        },
        breaker: { failures: 5, openForMs: 10_000 },
        onConnect: [{ send: 'AUTH hunter2\r\n' }, { expect: '+OK\r\n' }],
        probe: [{ send: 'PING\r\n' }, { expect: '+PONG\r\n' }],
        onRelease: [{ send: 'RESET\r\n' }, { expect: '+RESET\r\n' }],
        frame: 'resp',
        reuse: 'clean',
        leakDetectionMs: 30_000,
      },
    })
  })

  it('reads the same from JSON', () => {
    const file = write(
      'config.json',
      '{"limits": {"leases": 5}, "targets": {"a": {"hosts": ["b:1", "[::1]:2"]}}}',
    )
    const config = loadConfig({ environment: {}, file })
    expect(config.limits.leases).toBe(5)
    const { a } = config.targets
    expect(a?.hosts).toEqual([
      { host: 'b', port: 1 },
      { host: '::1', port: 2 },
    ])
  })

  it('takes flags before environment before file before defaults', () => {
    const file = write(
      'config.yaml',
      'listen: 127.0.0.1:1\nioWorkers: 1\nlimits: { leases: 1, waiters: 1 }\n',
    )
    const environment = {
      SOCKPOOL_LISTEN: '127.0.0.1:2',
      SOCKPOOL_IO_WORKERS: '2',
      SOCKPOOL_LIMITS_LEASES: '2',
    }
    const config = loadConfig({ file, environment, flags: { listen: '127.0.0.1:3' } })
    expect(config.listen).toMatchObject({ port: 3 })
    expect(config.ioWorkers).toBe(2)
    expect(config.limits).toMatchObject({ leases: 2, waiters: 1, bodyBytes: DEFAULTS.bodyBytesMax })
  })

  it('reads lists, switches and keys of named targets from the environment', () => {
    const file = write('config.yaml', 'targets: { my-cache: { host: a, port: 1 } }\n')
    const environment = {
      SOCKPOOL_EGRESS_ALLOW: '10.0.0.0/8:6379, *.example.com:443',
      SOCKPOOL_HTTP_HOSTS: '["a", "b"]',
      SOCKPOOL_TARGETS_MY_CACHE_TLS: 'true',
      SOCKPOOL_TARGETS_MY_CACHE_POOL_MAX: '3',
      SOCKPOOL_LIMITS_BODY_BYTES: '64KiB',
    }
    const config = loadConfig({ file, environment })
    expect(config.egress.allow).toEqual(['10.0.0.0/8:6379', '*.example.com:443'])
    expect(config.http.hosts).toEqual(['a', 'b'])
    expect(config.targets['my-cache']).toMatchObject({ tls: {}, pool: { max: 3 } })
    expect(config.limits.bodyBytes).toBe(65_536)
  })

  it('passes over empty variables and those of a cluster', () => {
    const environment = {
      SOCKPOOL_LISTEN: '',
      SOCKPOOL_SERVICE_HOST: '10.0.0.1',
      SOCKPOOL_PORT: 'tcp://10.0.0.1:1',
    }
    expect(loadConfig({ environment }).listen).toMatchObject({ port: 7070 })
  })

  it('puts variables in place of env:NAME, as text, number and switch', () => {
    const file = write(
      'config.yaml',
      'targets: { a: { host: env:HOST, port: env:PORT, tls: env:TLS, onConnect: [{ send: env:LOGIN }] } }\n',
    )
    const environment = { HOST: 'db.internal', PORT: '5432', TLS: 'true', LOGIN: 'AUTH x\r\n' }
    const { a } = loadConfig({ file, environment }).targets
    expect(a).toMatchObject({
      hosts: [{ host: 'db.internal', port: 5432 }],
      tls: {},
      onConnect: [{ send: 'AUTH x\r\n' }],
    })
  })

  it('reuses by default only where a frame or a release dialog is set', () => {
    const file = write(
      'config.yaml',
      [
        'targets:',
        '  plain: { host: a, port: 1 }',
        '  framed: { host: a, port: 1, frame: { lengthField: { bytes: 2 } } }',
        '  reset: { host: a, port: 1, onRelease: [{ send: x }] }',
        '  refused: { host: a, port: 1, frame: resp, reuse: never }',
        '',
      ].join('\n'),
    )
    const { targets } = loadConfig({ file, environment: {} })
    const rules = Object.entries(targets).map(([name, { reuse }]) => [name, reuse])
    expect(Object.fromEntries(rules)).toEqual({
      plain: 'never',
      framed: 'clean',
      reset: 'clean',
      refused: 'never',
    })
    const { framed } = targets
    expect(framed?.frame).toEqual({
      lengthField: {
        offset: 0,
        bytes: 2,
        endian: 'big',
        encoding: 'binary',
        adjust: 0,
        includesHeader: false,
        max: 16_777_216,
      },
    })
  })

  it('is frozen to its leaves and can cross a thread', () => {
    const config = loadConfig({ environment: {}, file: WHOLE })
    const thaw = (value: unknown): boolean =>
      typeof value === 'object' &&
      value !== null &&
      (!Object.isFrozen(value) || Object.values(value).some(thaw))
    expect(thaw(config)).toBe(false)
    expect(structuredClone(config)).toEqual(config)
  })

  it('names the source of each fault', () => {
    const file = write('config.yaml', 'limits: { waiters: no }\n')
    const environment = { SOCKPOOL_LIMITS_LEASES: 'many' }
    const faults = faultsOf({
      file,
      environment,
      flags: { ioWorkers: '0', allow: ['x'] },
      checkRule: () => 'is no rule',
    })
    expect(faults).toEqual([
      '--io-workers: ioWorkers: must be a whole number from 1 to 256, not 0',
      'SOCKPOOL_LIMITS_LEASES: limits.leases: must be a whole number from 1 to 65536, not "many"',
      `${file}: limits.waiters: must be a whole number from 0 to 1000000, not "no"`,
      '--allow: egress.allow.0: is no rule',
    ])
  })

  it('reports a key that is in no prototype either', () => {
    const file = write('config.yaml', '__proto__: { listen: 127.0.0.1:1 }\nlimits: { toString: 1 }\n')
    expect(faultsOf({ file })).toEqual([
      expect.stringContaining('limits.toString: is not a known key'),
      expect.stringContaining('__proto__: is not a known key'),
    ])
    expect(({} as { listen?: string }).listen).toBeUndefined()
  })

  it('refuses a file that is not there, too large or not UTF-8', () => {
    expect(faultsOf({ file: join(folder, 'none.yaml') })).toEqual([
      expect.stringContaining('cannot be read: ENOENT'),
    ])
    expect(faultsOf({ file: write('large.yaml', '#'.repeat(4_194_305)) })).toEqual([
      expect.stringContaining('must not be larger than 4194304 bytes'),
    ])
    const file = join(folder, 'latin1.yaml')
    writeFileSync(file, Buffer.from('listen: \xff', 'latin1'))
    expect(faultsOf({ file })).toEqual([expect.stringContaining('cannot be read')])
  })

  it('refuses a YAML bomb', () => {
    const levels = Array.from({ length: 12 }, (_, level) =>
      level === 0 ? 'a0: &a0 [x, x]' : `a${level}: &a${level} [${`*a${level - 1},`.repeat(9)}]`,
    )
    expect(faultsOf({ file: write('bomb.yaml', levels.join('\n')) })).toEqual([
      expect.stringContaining('cannot be read as YAML'),
    ])
  })

  it('takes --no-auth on loopback and unix listeners only', () => {
    expect(loadConfig({ environment: {}, flags: { noAuth: true } }).auth).toBeNull()
    expect(loadConfig({ environment: {}, flags: { noAuth: true, listen: 'unix:/x' } }).auth).toBeNull()
    expect(faultsOf({ flags: { noAuth: true, listen: '0.0.0.0:7070' } })).toEqual([
      '--no-auth: is accepted on loopback and unix-socket listeners only, and listen is 0.0.0.0:7070',
    ])
  })
})

describe('a token file', () => {
  it('keeps hashes and gives all targets and admin', () => {
    const tokenFile = write('tokens', '# who may\nops s3cret\n\nci\tother\n')
    expect(loadConfig({ environment: {}, flags: { tokenFile } }).auth?.tokens).toEqual([
      { name: 'ops', sha256: hashToken('s3cret'), targets: ['*'], admin: true },
      { name: 'ci', sha256: hashToken('other'), targets: ['*'], admin: true },
    ])
    expect(hashToken('s3cret')).toBe('1ec1c26b50d5d3c58d9583181af8076655fe00756bf7285940ba3670f99fcba0')
  })

  it('is refused where others may read it', () => {
    const tokenFile = write('tokens', 'ops s3cret\n', 0o644)
    expect(faultsOf({ flags: { tokenFile } })).toEqual([
      `${tokenFile}: must be readable by its owner only, and its mode is 0644; run: chmod 600 ${tokenFile}`,
    ])
  })

  it('reports every bad line without its token', () => {
    const tokenFile = write('tokens', 'ops s3cret\nlonely\nops again\na b c\n')
    const faults = faultsOf({ flags: { tokenFile } })
    expect(faults).toEqual([
      `${tokenFile}: line 2: must be NAME TOKEN, each of visible ASCII characters`,
      `${tokenFile}: line 3: names "ops" a second time`,
      `${tokenFile}: line 4: must be NAME TOKEN, each of visible ASCII characters`,
    ])
    expect(faults.join()).not.toContain('again')
  })

  it('is refused where it is empty or missing', () => {
    expect(faultsOf({ flags: { tokenFile: write('tokens', '\n') } })).toEqual([
      expect.stringContaining('holds no token'),
    ])
    expect(faultsOf({ flags: { tokenFile: join(folder, 'none') } })).toEqual([
      expect.stringContaining('cannot be read: ENOENT'),
    ])
  })

  it('may not repeat a name of the config', () => {
    const tokenFile = write('tokens', 'ops s3cret\n')
    expect(faultsOf({ file: WHOLE, flags: { tokenFile } })).toEqual([
      expect.stringContaining('auth.tokens: must not name "ops" twice'),
    ])
  })
})

describe('printConfig', () => {
  it('shows defaults in the form of the file and reads back as the same configuration', () => {
    const file = write('config.yaml', 'targets: { a: { host: b, port: 1, tls: { servername: c } } }\n')
    const loaded = loadEffective({ environment: { SOCKPOOL_LIMITS_LEASES: '7' }, file })
    const text = printConfig(loaded)
    expect(text).toContain('operationTimeout: 30s')
    expect(text).toContain('bodyBytes: 16MiB')
    expect(loadConfig({ environment: {}, file: write('again.yaml', text) })).toEqual(loaded.config)
  })

  it('masks what is sent in dialogs and the hashes of tokens', () => {
    const text = printConfig(loadEffective({ environment: {}, file: WHOLE }))
    expect(text).not.toMatch(/hunter2|PING|BBBB|AAAA/)
    expect(text.match(/\*\*\*/g)).toHaveLength(6)
    expect(text).toContain('+PONG')
  })
})
