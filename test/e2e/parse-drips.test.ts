/** Parsing over HTTP while the parse threads of live connections are beset by peers that never finish. */
import { createHash } from 'node:crypto'
import { expect, onTestFinished, test } from 'vitest'
import { jsonOf } from '../support/api.ts'
import { useScriptedService } from '../support/scripted-service.ts'

const [SLOW, QUICK] = ['token-of-the-slow', 'token-of-the-quick']

function token(name: string, secret: string): object {
  return { name, sha256: createHash('sha256').update(secret).digest('hex'), targets: ['*'] }
}

const scripted = useScriptedService(place => ({
  config: {
    auth: {
      tokens: [token('slow', SLOW), token('quick', QUICK)],
    },
    parse: { workers: 1 },
    targets: { script: { ...place, pool: { max: 50 } } },
  },
}))

test('bytes and messages of others are parsed while peers send theirs bit by bit', async () => {
  const slow = scripted.api.as(SLOW)
  const quick = scripted.api.as(QUICK)
  const ended: string[] = []
  for (let index = 0; index < 8; index++) {
    const lease = await slow.lease('script')
    const peer = await scripted.upstream.from(lease.view.connection.localPort)
    await peer.send('[0')
    const dripping = setInterval(() => void peer.send(',1').catch(() => {}), 5)
    const parsing = lease.call('parse', { json: { format: 'json' } })
    parsing.then(
      ({ text }) => ended.push(text),
      error => ended.push(String(error)),
    )
    await lease.begun('parse')
    onTestFinished(async () => {
      clearInterval(dripping)
      await lease.release('?discard=true')
      await parsing
    })
  }
  for (let turn = 0; turn < 5; turn++) {
    // Long enough for a thread.
    const body = `{"whole":true}${' '.repeat(2_000)}`
    const answer = await quick.post('/v1/parse/json', { body })
    expect(jsonOf(answer)).toEqual({ values: [{ whole: true }] })
    for (const api of [quick, slow]) {
      const lease = await api.lease('script')
      const peer = await scripted.upstream.from(lease.view.connection.localPort)
      await peer.send('{"whole":true}')
      expect(jsonOf(await lease.call('parse', { json: { format: 'json' } }))).toMatchObject({
        value: { whole: true },
      })
      await lease.release('?discard=true')
    }
  }
  expect(ended).toEqual([])
})
