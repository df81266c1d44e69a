import { test } from 'vitest'
import { memcachedFrame } from '../../src/frames/memcached.ts'
import { respFrame } from '../../src/frames/resp.ts'
import { expectLinear, fuzzCuts } from '../support/frame-cuts.ts'

test('resp answers survive any change, however cut', () => {
  const samples = [
    '*2\r\n$2\r\nab\r\n%1\r\n+a\r\n,1.5\r\n',
    '|1\r\n+a\r\n:1\r\n>1\r\n=7\r\ntxt:abc\r\n',
    '*?\r\n$?\r\n;2\r\nab\r\n;0\r\n.\r\n',
  ]
  fuzzCuts(() => respFrame(512).answers(), samples)
})

test('memcached answers survive any change, however cut', () => {
  fuzzCuts(
    () => memcachedFrame(512).answers(),
    ['VALUE a 0 2 9\r\nab\r\nEND\r\n', 'STAT a 1\r\nEND\r\n', 'VA 2 f0\r\nab\r\nHD\r\n'],
  )
})

test('resp requests survive any change, however cut', () => {
  const open = () => respFrame(512).requests() ?? respFrame(512).answers()
  fuzzCuts(open, [
    '*2\r\n$6\r\nCLIENT\r\n$2\r\nID\r\n',
    'GET a\r\n',
    '*3\r\n$5\r\nXREAD\r\n$5\r\nBLOCK\r\n$1\r\n0\r\n',
  ])
})

test('memcached requests survive any change, however cut', () => {
  const open = () => memcachedFrame(512).requests() ?? memcachedFrame(512).answers()
  fuzzCuts(open, [
    'set a 0 0 2 noreply\r\nab\r\n',
    'get a b\r\n',
    'ms k 2 q\r\nab\r\n',
    'cas a 0 0 1 9\r\na\r\n',
  ])
})

const MIB = 1_048_576

test.each(['*1\r\n', ':1\r\n', '|0\r\n', '$0\r\n\r\n', '+', '*?\r\n', '$?\r\n;1\r\na\r\n;0\r\n'])(
  'resp looks at a MiB of %j in linear time',
  unit => {
    expectLinear({
      open: () => respFrame(2 * MIB).answers(),
      bytes: unit.repeat(Math.ceil(MIB / unit.length)),
    })
  },
)

test.each(['END\r\n', 'VALUE a 0 0\r\n\r\n', 'A', 'VA 0\r\n\r\n'])(
  'memcached looks at a MiB of %j in linear time',
  unit => {
    expectLinear({
      open: () => memcachedFrame(2 * MIB).answers(),
      bytes: unit.repeat(Math.ceil(MIB / unit.length)),
    })
  },
)
