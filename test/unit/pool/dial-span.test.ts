/** What the span of a dial says of a connection that was gone before anybody could have it: what the metrics say of it too. */
import { expect, onTestFinished, test } from 'vitest'
import { normaliseTarget } from '../../../src/config/target.ts'
import { DialSpan } from '../../../src/pool/target/dial-span.ts'
import type { IoConnection } from '../../../src/threads/io-connection.ts'
import { RecordedSpans } from '../../support/recorded-spans.ts'

const FACTS = { remoteAddress: '127.0.0.1', remotePort: 1, tls: null }

test.for([
  ['workerLost', 'worker_lost'],
  ['reset', 'connect_failed'],
  ['fin', 'connect_failed'],
] as const)('a dial whose connection is gone at once (%s) has failed: %s', async ([gone, code]) => {
  const spans = RecordedSpans.start(onTestFinished)
  const target = normaliseTarget({ host: '127.0.0.1', port: 1 })
  const span = DialSpan.begin({ name: 'it', origin: 'named', target, path: undefined }, null)
  const connection = { id: 'c1', facts: FACTS, gone } as unknown as IoConnection
  span?.follow(Promise.resolve(connection), () => 0)
  const ended = await spans.one('sockpool.connect')
  expect(ended).toMatchObject({ isFailed: true, attributes: { 'error.type': code } })
})
