/** Completion runs in a process of its own: the shells call it as one, and its words go to the real stdout. */
import { describe, expect, test } from 'vitest'
import { CLI, runCommand } from '../support/service-process.ts'

const sockpool = (...args: string[]) => runCommand([process.execPath, CLI, ...args])

async function words(...typed: string[]): Promise<readonly string[]> {
  const { code, stdout, stderr } = await sockpool('complete', '--', ...typed)
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return stdout.split('\n').map(line => line.split('\t')[0] ?? '')
}

describe('sockpool completion', () => {
  test.each([
    ['bash', 'complete -F __sockpool_complete sockpool'],
    ['zsh', '#compdef sockpool'],
    ['fish', 'complete -c sockpool'],
  ])('prints a script for %s that asks the command itself', async (shell, mark) => {
    const { code, stdout, stderr } = await sockpool('completion', shell)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain('sockpool complete --')
    expect(stdout).toContain(mark)
    if (shell !== 'bash') return
    const parsed = await runCommand(['bash', '-n'], { stdin: stdout })
    expect(parsed).toMatchObject({ code: 0, stderr: '' })
  })

  test('knows the commands, their flags and the values of those', async () => {
    expect(await words('')).toEqual(
      expect.arrayContaining(['serve', 'config', 'exchange', 'healthcheck', 'completion']),
    )
    expect(await words('config', '')).toEqual(expect.arrayContaining(['validate', 'print']))
    expect(await words('serve', '--')).toEqual(
      expect.arrayContaining(['--config', '--listen', '--allow', '--token-file', '--no-auth', '--log-level']),
    )
    const tls = ['--url', '--ca', '--cert', '--key']
    expect(await words('exchange', '--')).toEqual(expect.arrayContaining([...tls, '--token', '--read']))
    expect(await words('healthcheck', '--')).toEqual(expect.arrayContaining(tls))
    expect(await words('serve', '--log-level', '')).toEqual(expect.arrayContaining(['info', 'silent']))
  })

  test.each([[[]], [['tcsh']]])('answers %j with exit code 2', async args => {
    const { code, stdout, stderr } = await sockpool('completion', ...args)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).not.toBe('')
  })
})
