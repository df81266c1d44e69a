import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { curlLines } from '../../../src/command/curl-lines.ts'

// What a shell hands to curl: the function of that name prints its arguments, one a line, as JSON strings would be.
async function argumentsOf(line: string, env: NodeJS.ProcessEnv = {}): Promise<readonly string[]> {
  const script = `curl() { printf '%s\\0' "$@"; }; ${line}`
  const { stdout } = await promisify(execFile)('sh', ['-c', script], { env: { ...process.env, ...env } })
  return stdout.split('\0').slice(0, -1)
}

describe('curlLines', () => {
  it('are three lines that a shell hands to curl whole', async () => {
    const lines = curlLines('http://127.0.0.1:7070', 'tok')
    expect(lines).toHaveLength(3)
    expect(lines.every(line => line.startsWith('curl ') && !line.includes('\n'))).toBe(true)
    const head = ['-sS', '-H', 'Authorization: Bearer tok', '-H', 'Content-Type: application/json']
    const exchange = 'http://127.0.0.1:7070/v1/exchange'
    const body = (target: string): string =>
      JSON.stringify({ target, write: { text: 'hello\n' }, read: 'line' })
    expect(await Promise.all(lines.map(line => argumentsOf(line)))).toEqual([
      [...head, '-d', body('demo'), exchange],
      [...head, '-H', 'Accept: application/json', '-d', body('demo-tls'), exchange],
      [...head, '-d', '{"target":"demo"}', 'http://127.0.0.1:7070/v1/leases'],
    ])
  })

  it('leave the header out where no token is asked for', () => {
    expect(curlLines('http://127.0.0.1:7070', null).join()).not.toContain('Authorization')
  })

  it('let the shell fill a variable in', async () => {
    const [line = ''] = curlLines('http://127.0.0.1:7070', '$SOCKPOOL_TOKEN')
    expect(await argumentsOf(line, { SOCKPOOL_TOKEN: 'mine' })).toContain('Authorization: Bearer mine')
  })

  it('reach a unix socket whatever its path', async () => {
    const [line = ''] = curlLines("unix:/run/it's here.sock", null)
    const given = await argumentsOf(line)
    expect(given.slice(0, 3)).toEqual(['-sS', '--unix-socket', "/run/it's here.sock"])
    expect(given.at(-1)).toBe('http://localhost/v1/exchange')
  })
})
