import { describe, expect, it } from 'vitest'
import { LIMITS } from '../../../src/base/limits.ts'
import { nearMiss } from '../../../src/config/near-miss.ts'
import { formatDuration, formatSize, parseDuration, parseSize } from '../../../src/config/units.ts'

describe('parseDuration', () => {
  it.each([
    ['250ms', 250],
    ['30s', 30_000],
    ['5m', 300_000],
    ['1h', 3_600_000],
    ['2d', 172_800_000],
    ['1.5s', 1_500],
    ['30 s', 30_000],
    ['5000', 5_000],
    ['0', 0],
    [5_000, 5_000],
  ])('reads %j', (text, milliseconds) => {
    expect(parseDuration(text)).toBe(milliseconds)
  })

  it.each([
    '30 seconds',
    '1.5ms',
    '-1s',
    '',
    's',
    '1S',
    ' 1s',
    '1s ',
    '1e3s',
    '0x10',
    -1,
    1.5,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    null,
    true,
    ['1s'],
    '999999999999999d',
  ])('refuses %j', value => {
    expect(parseDuration(value)).toBeNull()
  })
})

describe('parseSize', () => {
  it.each([
    ['64KiB', 65_536],
    ['16MiB', 16_777_216],
    ['1GiB', 1_073_741_824],
    ['512B', 512],
    ['1.5KiB', 1_536],
    [4_096, 4_096],
  ])('reads %j', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes)
  })

  it.each(['16MB', '16kib', '1.3B', '16M', ''])('refuses %j', text => {
    expect(parseSize(text)).toBeNull()
  })
})

describe('formatDuration and formatSize', () => {
  it.each([0, 1, 250, 1_000, 90_000, 1_800_000, 3_600_000, 86_400_000, LIMITS.durationMsMax])(
    'write %d so that it reads back',
    amount => {
      expect(parseDuration(formatDuration(amount))).toBe(amount)
      expect(parseSize(formatSize(amount))).toBe(amount)
    },
  )

  it('choose the largest exact unit', () => {
    expect(formatDuration(90_000)).toBe('90s')
    expect(formatDuration(1_800_000)).toBe('30m')
    expect(formatSize(16_777_216)).toBe('16MiB')
    expect(formatSize(1_000)).toBe('1000B')
  })
})

describe('nearMiss', () => {
  const keys = ['host', 'port', 'hosts', 'idleTimeout', 'maxLifetime']

  it.each([
    ['prot', 'port'],
    ['idleTimeoutMs', 'idleTimeout'],
    ['idle_timeout', 'idleTimeout'],
    ['maxlifetime', 'maxLifetime'],
    ['hos', 'host'],
  ])('finds for %s the key %s', (word, key) => {
    expect(nearMiss(word, keys)).toBe(key)
  })

  it('finds nothing for a word that is no misspelling', () => {
    expect(nearMiss('colour', keys)).toBeNull()
    expect(nearMiss('x'.repeat(100_000), keys)).toBeNull()
  })
})
