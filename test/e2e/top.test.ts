/** `top` on a terminal of its own, and on a pipe. */
import { describe, expect, onTestFinished, test } from 'vitest'
import { OwnTerminal } from '../support/own-terminal.ts'
import { CLI, runCommand, type ServiceProcess, startServiceProcess } from '../support/service-process.ts'
import { refusingPort } from '../support/test-server.ts'
import { until } from '../support/until.ts'
import { startUpstream } from '../support/upstream.ts'

const ENTER = '\x1b[?1049h\x1b[?25l'
const LEAVE = '\x1b[?25h\x1b[?1049l'

async function started(listen = '127.0.0.1:0'): Promise<ServiceProcess> {
  const upstream = await startUpstream()
  onTestFinished(() => upstream.close())
  const { host, port } = upstream
  const service = await startServiceProcess({
    listen,
    args: ['--no-auth'],
    config: { targets: { it: { host, port, reuse: 'clean', pool: { max: 4 } } } },
  })
  onTestFinished(() => service.stop())
  return service
}

/** The terminal shows what it showed before, and behaves as it did. */
async function expectRestored(terminal: OwnTerminal): Promise<void> {
  expect(terminal.output.split(ENTER)).toHaveLength(2)
  expect(terminal.output.split(LEAVE)).toHaveLength(2)
  expect(await terminal.after()).toMatch(/ icanon .* echo /s)
}

describe('top on a pipe', () => {
  test('prints one frame without a sequence of the terminal, and ends', async () => {
    const service = await started()
    await service.api.lease('it')
    const args = ['top', '--url', service.url, '--interval', '100ms']
    const { code, stdout, stderr } = await runCommand([process.execPath, CLI, ...args])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const lines = stdout.split('\n')
    expect(lines[0]).toBe(`sockpool ${service.url}`)
    expect(lines[5]).toMatch(/^it +active +closed +█··· +1\/4 +0 +0 +/)
    expect(stdout).toMatch(/^0 +io +serving +\d+ % +1 /m)
    expect(stdout).not.toMatch(/\p{Cc}\[/u)
  })
})

describe('top on a terminal', () => {
  test('is live, takes keys and another size, and leaves the terminal as it was', async ({ skip }) => {
    const service = await started()
    const flags = ['top', '--url', service.url, '--interval', '100ms']
    const terminal = await OwnTerminal.run(flags, { columns: 120, rows: 30, skip })
    await terminal.shows(/^it +active +closed +···· +0\/4 /m)
    await service.api.lease('it')
    await terminal.shows(/^it +active +closed +█··· +1\/4 /m)
    await service.api.post('/v1/targets/it/pause', { json: {} })
    await terminal.shows(/^it +paused /m)
    // Yellow.
    expect(terminal.output).toContain('\x1b[33mpaused')
    terminal.press('s')
    await terminal.shows(/sort \(waiters\)/)
    await terminal.resize(40, 12)
    await terminal.shows(/^TARGET +STATE +BREAKER +IN USE +WAITERS$/m)
    expect(terminal.frame()).toHaveLength(12)
    for (const line of terminal.frame()) expect(line.length).toBeLessThanOrEqual(40)
    terminal.press('q')
    expect(await terminal.exited).toBe(0)
    await expectRestored(terminal)
  })

  test('says that the service is away, and goes on when it is back', async ({ skip }) => {
    const listen = `127.0.0.1:${await refusingPort()}`
    const url = `http://${listen}`
    const terminal = await OwnTerminal.run(['top', '--url', url, '--interval', '100ms'], { skip })
    await terminal.shows(/cannot reach .*asking again every 100ms/)
    const service = await started(listen)
    await terminal.shows(/^it +active /m)
    expect(terminal.frame().join('\n')).not.toContain('cannot reach')
    await service.stop()
    await terminal.shows(/cannot reach/)
    // What it said last.
    expect(terminal.frame().join('\n')).toMatch(/^it +(?:active|draining) /m)
    // Ctrl-C, as a key.
    terminal.press('\x03')
    expect(await terminal.exited).toBe(0)
    await expectRestored(terminal)
  })

  test('leaves the terminal as it was on a signal, and on a fault', async ({ skip }) => {
    const service = await startServiceProcess({})
    onTestFinished(() => service.stop())
    const env = { SOCKPOOL_URL: service.url }
    const token = service.token ?? ''
    const ended = await OwnTerminal.run(['top'], { env: { ...env, SOCKPOOL_TOKEN: token }, skip })
    await ended.shows(/^TARGET/m)
    await ended.signal('SIGTERM')
    expect(await ended.exited).toBe(0)
    await expectRestored(ended)

    const refused = await OwnTerminal.run(['top', '--token', 'no-such'], { env, skip })
    expect(await refused.exited).toBe(1)
    await expectRestored(refused)
    expect(refused.output.split(LEAVE)[1]).toContain('Give a token with --token')
  })
  test('stops by Ctrl-Z with what has started it, so that the shell has its prompt, and comes back', async ({
    skip,
  }) => {
    const service = await started()
    // As npx does it: another process of the job waits for the command.
    const shell = (words: string) => `set -m\nsh -c '"$@"; exit $?' sh ${words}\necho "a prompt"\nfg`
    const terminal = await OwnTerminal.run(['top', '--url', service.url], { shell, skip })
    await terminal.shows(/^it +active /m)
    terminal.press('\x1a')
    await until('there is a prompt', () => terminal.output.includes('a prompt'), 10_000)
    const [before = '', after = ''] = terminal.output.split('a prompt')
    expect(before.split(LEAVE)).toHaveLength(2)
    expect(after).not.toContain(LEAVE)
    await until('it draws anew', () => terminal.output.split(ENTER).length === 3, 10_000)
    terminal.press('q')
    expect(await terminal.exited).toBe(0)
    expect(await terminal.after()).toMatch(/ icanon .* echo /s)
  })
})
