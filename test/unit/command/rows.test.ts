import { stripVTControlCharacters } from 'node:util'
import { describe, expect, it } from 'vitest'
import { run } from '../../../src/command/command.ts'
import { captureStreams } from '../../support/captured-streams.ts'
import { command, serverAt } from '../../support/own-command.ts'

describe('rows of a running service', () => {
  /** What a peer could have itself called: a title for the terminal, a sequence of one byte, another direction. */
  const HOSTILE = 'a\x1b]0;mine\x07\x9b2J\u202e\r\nb'

  async function service(): Promise<string> {
    const row = { id: HOSTILE, name: HOSTILE, target: HOSTILE, key: HOSTILE, state: HOSTILE, breaker: 'open' }
    const rows = [{ ...row, connections: { idle: 1 }, operations: [{ name: HOSTILE, outcome: HOSTILE }] }]
    const answer = { targets: rows, connections: rows, leases: rows, workers: rows, ...rows[0] }
    return await serverAt((request, response) => {
      if (request.method === 'DELETE') {
        response.writeHead(404, { 'content-type': 'application/problem+json' })
        response.end(JSON.stringify({ detail: HOSTILE, code: HOSTILE }))
      } else response.end(JSON.stringify(answer))
    })
  }

  it.each([
    [['targets']],
    [['connections']],
    [['leases']],
    [['workers']],
    [['stats']],
    [['connection', 'c1']],
    [['pause', 'a']],
    [['reload']],
    [['top', '--interval', '100ms']],
    [['targets', '-o', 'json']],
    [['connection', 'c1', '-o', 'json']],
    [['pause', 'a', '-o', 'json']],
    [['kill', 'c1']],
  ])('%j lets no name control the terminal', async args => {
    const { stdout, stderr } = await command([...args, '--url', await service()])
    expect(stdout + stderr).not.toMatch(/[^\P{C}\n]/u)
    expect((stdout + stderr).length).toBeGreaterThan(10)
  })

  it('are as wide as the terminal, with colours, only on one', async () => {
    const url = await serverAt((_request, response) =>
      response.end(
        JSON.stringify({
          targets: [{ name: 'cache'.repeat(9), state: 'paused', breaker: 'open', waiters: 3 }],
        }),
      ),
    )
    const streams = captureStreams()
    const stdout = Object.assign(streams.stdout, { isTTY: true, columns: 60, getColorDepth: () => 4 })
    expect(await run(['targets', '--url', url], '1.2.3', { ...streams, stdout })).toBe(0)
    const [, row = ''] = streams.text('stdout').split('\n')
    expect(row).toContain('\x1b[33mpaused')
    expect(row).toContain('\x1b[31mopen')
    expect(stripVTControlCharacters(row)).toMatch(/^(?:cache)+\w*… +paused +open +3/)
    expect(stripVTControlCharacters(row).length).toBeLessThanOrEqual(60)
    const piped = await command(['targets', '--url', url])
    expect(piped.stdout).toContain('cache'.repeat(9))
    expect(piped.stdout).not.toContain('\x1b')
  })

  it.each([
    [401, 'unauthorized', /--token/],
    [403, 'forbidden', /admin/],
    [403, 'host_denied', /http\.hosts/],
    [503, 'draining', /no \(503 draining\)/],
  ])('say what to do on %d %s', async (status, code, next) => {
    const url = await serverAt((_request, response) => {
      response.writeHead(status, { 'content-type': 'application/problem+json' })
      response.end(JSON.stringify({ detail: 'no', code }))
    })
    const told = await command(['targets', '--url', url])
    expect(told).toMatchObject({ code: 1, stdout: '' })
    expect(told.stderr).toMatch(next)
  })

  it.each([['targets'], ['top']])('%s says what to do where no service answers', async name => {
    const told = await command([name, '--url', 'http://127.0.0.1:1'])
    expect(told).toMatchObject({ code: 1, stdout: '' })
    expect(told.stderr).toMatch(/^cannot reach .*\n.*--url/)
  })

  it('say that what answers is no sockpool', async () => {
    const url = await serverAt((_request, response) => response.end('<html>'))
    const told = await command(['targets', '--url', url])
    expect(told).toMatchObject({ code: 1, stdout: '' })
    expect(told.stderr).toContain('no sockpool')
  })
})
