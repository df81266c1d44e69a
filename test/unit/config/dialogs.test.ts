/** Dialogs and presets as an operator writes them. */
import { writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, test } from 'vitest'
import { SockpoolError } from '../../../src/base/errors.ts'
import { ConfigError } from '../../../src/config/config-error.ts'
import { loadConfig, loadEffective } from '../../../src/config/load.ts'
import { printConfig } from '../../../src/config/print.ts'
import { normaliseTarget, type Target } from '../../../src/config/target.ts'
import type { TargetDialog } from '../../../src/config/target-dialog.ts'
import { dialOf } from '../../../src/pool/target/dial-of.ts'
import { dialogOf } from '../../../src/pool/target/dialog-of.ts'
import { makeFolder } from '../../support/temporary-folder.ts'

const PLACE = { host: 'a', port: 1 }

/** Each fault as `path: message`. */
function faultsOf(target: object): readonly string[] {
  try {
    normaliseTarget({ ...PLACE, ...target })
  } catch (error) {
    if (!(error instanceof SockpoolError)) throw error
    return (error.errors ?? []).map(({ path, message }) => `${path}: ${message}`)
  }
  return []
}

async function fileOf(target: object): Promise<string> {
  const file = join(await makeFolder(), 'sockpool.json')
  await writeFile(file, JSON.stringify({ targets: { it: { ...PLACE, ...target } } }))
  return file
}

async function loaded(target: object, environment: Record<string, string> = {}): Promise<Target> {
  const { it } = loadConfig({ file: await fileOf(target), environment }).targets
  if (it === undefined) throw new Error('the target is not there')
  return it
}

const CHOICES = 'must be one of {send: …}, {expect: …}, {tls: …}, {wait: …}'

describe('a dialog', () => {
  test.each<[string, object, readonly string[]]>([
    ['two actions', { send: 'a', expect: 'b' }, [`onConnect.0: ${CHOICES}`]],
    ['no action', { timeout: '1s' }, [`onConnect.0: ${CHOICES}`]],
    ['an action misspelt', { sent: 'a' }, ['onConnect.0.sent: is not a known key; did you mean "send"?']],
    [
      'nothing to send',
      { send: '' },
      ['onConnect.0.send: must be text, {hex: …}, {base64: …} or a list of them, not this string'],
    ],
    [
      'half a byte',
      { send: { hex: '012' } },
      ['onConnect.0.send.hex: must be hexadecimal digits, two for each byte, not this string'],
    ],
    [
      'what is no base64',
      { expect: { base64: 'a' } },
      ['onConnect.0.expect.base64: must be base64, not this string'],
    ],
    [
      'no bytes',
      { expect: { bytes: 0 } },
      ['onConnect.0.expect.bytes: must be a whole number from 1 to 65536, not 0'],
    ],
    [
      'a line that is none',
      { expect: { line: false } },
      ['onConnect.0.expect.line: must be true, not false'],
    ],
    ['a number', { expect: 220 }, ['onConnect.0.expect: must be text, a list or a mapping, not this number']],
    [
      'a capture that sends',
      { send: 'a', capture: 'x' },
      ['onConnect.0.capture: is for what came: it stands beside expect'],
    ],
    [
      'a name with a blank',
      { expect: 'a', capture: 'a b' },
      [
        'onConnect.0.capture: must be a name of letters, digits and _, 64 at the most, that begins with no digit, not "a b"',
      ],
    ],
    [
      'an unknown capture in a text',
      { send: 'a {{x}}' },
      ['onConnect.0.send: uses the capture "x", which no step before has made'],
    ],
    [
      'an unknown capture in a list',
      { send: ['a', '{{x}}'] },
      ['onConnect.0.send.1: uses the capture "x", which no step before has made'],
    ],
    [
      'its own capture',
      { expect: { prefix: '{{x}}' }, capture: 'x' },
      ['onConnect.0.expect.prefix: uses the capture "x", which no step before has made'],
    ],
    [
      'a condition on nothing',
      { send: 'a', when: { x: '1' } },
      ['onConnect.0.when: uses the capture "x", which no step before has made'],
    ],
    [
      'frame without a frame',
      { expect: { frame: true } },
      ['onConnect.0.expect.frame: needs the frame of the target, which has none'],
    ],
    [
      'a pattern that needs nothing',
      { expect: { pattern: 'a*' } },
      ['onConnect.0.expect.pattern: must not match where nothing has come'],
    ],
    [
      'a variable, in a program',
      { send: 'AUTH env:PW' },
      ['onConnect.0.send: refers to the environment variable PW, which is not set'],
    ],
    [
      'TLS for exchanges',
      { tls: { allowTruncated: true } },
      ["onConnect.0.tls.allowTruncated: is for exchanges: it stands in the target's tls"],
    ],
    [
      'bytes that are no text',
      { send: Buffer.from('ff', 'hex') },
      ['onConnect.0.send: must be text where it is bytes', `onConnect.0: ${CHOICES}`],
    ],
    [
      'a wait without end',
      { wait: 'long' },
      [expect.stringContaining('onConnect.0.wait: must be a duration')],
    ],
  ])('with %s is refused at its place', (_what, step, faults) => {
    expect(faultsOf({ onConnect: [step] })).toEqual(faults)
  })

  test.each([
    ['a back-reference', '(a)\\1'],
    ['a look ahead', 'a(?=b)'],
    ['a look behind', '(?<!a)b'],
    ['an open bracket', '[a'],
    ['a repeat beyond the bound', '(a{100}){100}'],
  ])('takes no pattern with %s', (_what, pattern) => {
    expect(faultsOf({ onConnect: [{ expect: { pattern } }] })).toEqual([
      expect.stringMatching(
        /^onConnect\.0\.expect\.pattern: (cannot be searched in linear time|is too large)/,
      ),
    ])
  })

  test('starts TLS once, and on a new connection only', () => {
    const tls = { tls: true }
    expect(faultsOf({ onConnect: [tls, tls], probe: [tls], onRelease: [tls] })).toEqual([
      'onConnect.1.tls: cannot start twice on one connection',
      'probe.0.tls: can start on a new connection only: in onConnect',
      'onRelease.0.tls: can start on a new connection only: in onConnect',
    ])
  })

  test('has so many steps and captures, and no more', () => {
    const send = { send: 'a' }
    expect(faultsOf({ onConnect: Array.from({ length: 64 }, () => send) })).toEqual([])
    expect(faultsOf({ onConnect: Array.from({ length: 65 }, () => send) })).toEqual([
      'onConnect: must have at most 64 entries, not 65',
    ])
    const captures = Array.from({ length: 17 }, (_, index) => ({
      expect: { line: true },
      capture: `c${index}`,
    }))
    expect(faultsOf({ onConnect: captures })).toEqual([expect.stringMatching(/^onConnect\.16\.capture: /)])
  })

  test('passes through unchanged, in each of its forms', () => {
    const target = normaliseTarget({
      ...PLACE,
      frame: 'resp',
      onConnect: [
        { send: ['a', { hex: '00ff' }, { base64: 'AA==' }], timeout: '1s' },
        { expect: { prefix: ['2', '2'] }, capture: 'x' },
        { expect: ['{{x}}', { hex: '0a' }] },
        { expect: { pattern: '(a|b)+' } },
        { expect: { frame: true }, when: { x: 'y' } },
        { tls: { servername: 'x' } },
        { wait: '100ms' },
      ],
    })
    expect(stepsOf(target).at(0)).toMatchObject({ timeoutMs: 1_000 })
    expect(stepsOf(target).at(-1)).toEqual({ waitMs: 100 })
    expect(normaliseTarget(target)).toEqual(target)
  })
})

describe('a dialog in a module', () => {
  test('is named by a path beside the config file, or by a URL', async () => {
    const file = await fileOf({ onConnect: { module: './dialog.ts' } })
    const { it } = loadConfig({ file, environment: {} }).targets
    expect(it?.onConnect).toEqual({ module: pathToFileURL(join(dirname(file), 'dialog.ts')).href })
    expect(normaliseTarget(it)).toEqual(it)
    const url = 'file:///srv/dialog.js'
    expect((await loaded({ onConnect: { module: url } })).onConnect).toEqual({ module: url })
    const other = loaded({ onConnect: { module: 'https://a/b.js' } })
    await expect(other).rejects.toThrow(/onConnect\.module: must be a file: URL/)
  })

  test('is a file, and on new connections only', () => {
    expect(faultsOf({ onConnect: { module: './a.ts' } })).toEqual(['onConnect.module: must be a file: URL'])
    expect(faultsOf({ onConnect: { module: 'https://a/b.js' } })).toEqual([
      'onConnect.module: must be a file: URL',
    ])
    expect(faultsOf({ onConnect: {} })).toEqual([expect.stringContaining('onConnect.module: is required')])
    expect(faultsOf({ probe: { module: 'file:///a.js' } })).toEqual(['probe: must be a list, not a mapping'])
  })
})

describe('a variable in the text of a dialog', () => {
  const onConnect = [{ send: 'AUTH env:NAME env:PW\r\n' }, { expect: 'hi env:NAME' }]

  test('is put in its place, whatever it says', async () => {
    for (const PW of ['plain', '{{x}}', 'env:NAME', 'ü', '}}{{', '']) {
      const target = await loaded({ onConnect }, { NAME: 'me', PW })
      const [sent, expected] = dialogOf(stepsOf(normaliseTarget(target)))
      expect(textOf(sent), PW).toBe(`AUTH me ${PW}\r\n`)
      expect(expected).toMatchObject({ what: { bytes: [Buffer.from('hi me')] } })
    }
  })

  test('that is not set is a fault at its place', async () => {
    const file = await fileOf({ onConnect, onRelease: [{ send: ['a', 'env:GONE'] }] })
    const load = (): unknown => loadConfig({ file, environment: { NAME: 'me' } })
    expect(load).toThrow(ConfigError)
    expect(load).toThrow(
      /targets\.it\.onConnect\.0\.send: refers to the environment variable PW, which is not set/,
    )
    expect(load).toThrow(/targets\.it\.onRelease\.0\.send\.1: refers to the environment variable GONE/)
  })

  test('is told by no fault and not printed', async () => {
    const secret = 'hunter2'
    const environment = { PW: secret, HEX: '31', LONG: secret.repeat(20_000) }
    const steps = [{ send: 'env:PW' }, { expect: 'is env:PW' }, { expect: { hex: 'env:HEX' } }]
    const preset = { redis: { password: 'env:PW' } }
    const printed = printConfig(
      loadEffective({ file: await fileOf({ preset, onConnect: steps }), environment }),
    )
    expect(printed).not.toContain(secret)
    expect(printed).toContain('is env:PW')
    const long = await fileOf({ onConnect: [{ expect: 'env:LONG' }] })
    expect(() => loadConfig({ file: long, environment })).toThrow(/onConnect\.0\.expect: must be text/)
    expect(() => loadConfig({ file: long, environment })).not.toThrow(secret)
    const bad = await fileOf({ preset: { redis: { password: 'env:PW', database: -1 } } })
    expect(() => loadConfig({ file: bad, environment })).toThrow(
      /preset\.redis\.database: must be a whole number/,
    )
    expect(() => loadConfig({ file: bad, environment })).not.toThrow(secret)
  })
})

describe('a target with a step that starts TLS', () => {
  test('is dialled plain, and its TLS is for the step', () => {
    const tls = { servername: 'db' }
    const dial = dialOf(normaliseTarget({ ...PLACE, tls, preset: 'postgres-ssl' }), 'operator', '')
    expect(dial.tls).toBeNull()
    expect(dial.onConnect).toMatchObject([{}, {}, { kind: 'tls', tls }])
    const own = { ...PLACE, tls: false, onConnect: [{ tls: { servername: 'own' } }] } as const
    expect(dialOf(normaliseTarget(own), 'operator', '').onConnect).toMatchObject([
      { tls: { servername: 'own' } },
    ])
    const bare = { ...PLACE, onConnect: [{ tls: true }] } as const
    expect(dialOf(normaliseTarget(bare), 'operator', '').onConnect).toMatchObject([{ kind: 'tls', tls: {} }])
  })
})

describe('a preset', () => {
  test.each([
    ['redis', 'resp'],
    ['memcached', 'memcached'],
    ['smtp', 'smtp'],
    ['postgres-ssl', 'postgres'],
    ['nats', undefined],
    ['http1', 'http1'],
    ['mllp', 'mllp'],
    ['modbus', 'modbus'],
  ] as const)('%s sets the frame %s, and goes by its name or with options', (preset, frame) => {
    const target = normaliseTarget({ ...PLACE, preset })
    expect(target.frame).toBe(frame)
    expect(target).not.toHaveProperty('preset')
    expect(normaliseTarget({ ...PLACE, preset: { [preset]: {} } as never })).toEqual(target)
    expect(normaliseTarget(target)).toEqual(target)
  })

  test("gives way to the target's own keys", () => {
    const probe = [{ send: 'x' }]
    const target = normaliseTarget({ ...PLACE, preset: 'redis', probe, frame: 'memcached' })
    expect(target).toMatchObject({ frame: 'memcached', probe, onRelease: expect.anything() })
  })

  test('lets a dialog of its target await messages of its frame', () => {
    const onConnect = [{ expect: { frame: true } }]
    expect(faultsOf({ preset: 'redis', onConnect })).toEqual([])
    expect(faultsOf({ preset: { redis: { database: 1 } }, onConnect })).toEqual([])
    expect(faultsOf({ preset: 'nats', onConnect })).toHaveLength(1)
  })

  test.each<[string, unknown, string]>([
    ['unknown', 'rediss', 'preset: must be one of redis, memcached, '],
    ['two', { redis: {}, smtp: {} }, 'preset: must be one of redis, memcached, '],
    ['none', {}, 'preset: must be one of redis, memcached, '],
    ['misspelt', { smtpp: {} }, 'preset.smtpp: is not a known key; did you mean "smtp"?'],
    ['an unknown option', { redis: { db: 1 } }, 'preset.redis.db: is not a known key'],
    [
      'a name without its password',
      { redis: { username: 'a' } },
      'preset.redis.password: is required beside username',
    ],
    ['a user without a password', { smtp: { user: 'a' } }, 'preset.smtp.password: is required beside user'],
    [
      'a password without a user',
      { nats: { password: 'a' } },
      'preset.nats.user: is required beside password',
    ],
    [
      'a line break in a name',
      { smtp: { heloName: 'a\r\nMAIL' } },
      'preset.smtp.heloName: must be a host name',
    ],
  ])('that is %s is refused at its place', (_what, preset, fault) => {
    expect(faultsOf({ preset })).toEqual([expect.stringContaining(fault)])
  })

  test('redis sends what it is given as it is', () => {
    const target = normaliseTarget({
      ...PLACE,
      preset: { redis: { username: 'a{{b}}', password: 'p\r\nü', database: 3 } },
    })
    expect(dialogOf(stepsOf(target)).map(textOf)).toEqual([
      '*3\r\n$4\r\nAUTH\r\n$6\r\na{{b}}\r\n$5\r\np\r\nü\r\n',
      '',
      '*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n',
      '',
    ])
  })
})

function stepsOf({ onConnect }: Target): TargetDialog {
  return onConnect as TargetDialog
}

/** What a step sends; empty for another. */
function textOf(step: ReturnType<typeof dialogOf>[number] | undefined): string {
  return step?.kind === 'send' ? Buffer.concat(step.bytes.map(piece => Buffer.from(piece))).toString() : ''
}
