import { buffer } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { run } from '../../../src/command/command.ts'
import { captureStreams } from '../../support/captured-streams.ts'
import { command, serverAt } from '../../support/own-command.ts'

describe('a large upload by exchange', () => {
  const large = 'x'.repeat(12_000_000)

  async function slowService(seen: number[]): Promise<string> {
    return await serverAt(async (request, response) => {
      // What the connection takes without a reader is not all of it.
      await new Promise(resolve => setTimeout(resolve, 400))
      seen.push((await buffer(request)).length)
      response.end('done\n')
    })
  }

  it('shows on a terminal how far it is, and leaves nothing behind', async () => {
    const seen: number[] = []
    const streams = captureStreams(large)
    const stderr = Object.assign(streams.stderr, { isTTY: true, columns: 90 })
    const url = await slowService(seen)
    expect(await run(['exchange', 'it', '--url', url], '1.2.3', { ...streams, stderr })).toBe(0)
    expect(seen[0]).toBeGreaterThan(16_000_000)
    expect(streams.text('stdout')).toBe('done\n')
    expect(streams.text('stderr')).toMatch(/sending \[#+\.+\] [1-9]\d*% {2}.* of 15\.3 MiB/)
    expect(streams.text('stderr').endsWith('\r\x1b[K')).toBe(true)
  })

  it('says nothing of it on a pipe', async () => {
    expect(await command(['exchange', 'it', '--url', await slowService([])], large)).toEqual({
      code: 0,
      stdout: 'done\n',
      stderr: '',
    })
  })
})
