import { test } from 'vitest'
import { memcachedFrame } from '../../src/frames/memcached.ts'
import { respFrame } from '../../src/frames/resp.ts'
import { fuzzCuts } from '../support/frame-cuts.ts'

const RUNS = { runs: 50_000 }

test('resp answers survive any change, however cut', () => {
  const samples = [
    '*2\r\n$2\r\nab\r\n%1\r\n+a\r\n,1.5\r\n',
    '|1\r\n+a\r\n:1\r\n>1\r\n=7\r\ntxt:abc\r\n',
    '*?\r\n$?\r\n;2\r\nab\r\n;0\r\n.\r\n',
  ]
  fuzzCuts(() => respFrame(512).answers(), samples, RUNS)
})

test('memcached answers survive any change, however cut', () => {
  fuzzCuts(
    () => memcachedFrame(512).answers(),
    ['VALUE a 0 2 9\r\nab\r\nEND\r\n', 'STAT a 1\r\nEND\r\n', 'VA 2 f0\r\nab\r\nHD\r\n'],
    RUNS,
  )
})
