/** Completion runs in a process of its own: the shells call it as one, and its words go to the real stdout. */
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { serverAt } from '../support/own-command.ts'
import { CLI, runCommand, startServiceProcess } from '../support/service-process.ts'
import { makeFolder } from '../support/temporary-folder.ts'
import { refusingPort } from '../support/test-server.ts'

const sockpool = (...args: string[]) => runCommand([process.execPath, CLI, ...args])

/** What bash offers behind these words, as if they had been typed. */
async function completeInBash(
  typed: readonly string[],
  options: { cwd: string; env: Record<string, string> },
) {
  const { stdout: script } = await sockpool('completion', 'bash')
  const quoted = typed.map(word => `'${word}'`).join(' ')
  // What bash and its package bring.
  const session = `
    _get_comp_words_by_ref() {
      words=(${quoted}); cword=${typed.length - 1}; cur="\${words[cword]}"; prev="\${words[cword - 1]}"
    }
    compopt() { :; }
    sockpool() { '${process.execPath}' '${CLI}' "$@"; }
    ${script}
    __sockpool_complete
    printf '%s\\n' "\${COMPREPLY[@]}"`
  return await runCommand(['bash', '--norc', '-c', session], options)
}

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
    ['powershell', 'Register-ArgumentCompleter -CommandName'],
  ])('prints a script for %s that asks the command itself', async (shell, mark) => {
    const { code, stdout, stderr } = await sockpool('completion', shell)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/sockpool complete '?--/)
    expect(stdout).toContain(mark)
    if (shell !== 'bash') return
    const parsed = await runCommand(['bash', '-n'], { stdin: stdout })
    expect(parsed).toMatchObject({ code: 0, stderr: '' })
  })

  test('knows the commands, and the values of their flags', async () => {
    expect(await words('')).toEqual(
      expect.arrayContaining(['serve', 'config', 'exchange', 'healthcheck', 'completion']),
    )
    expect(await words('serve', '--log-level', '')).toEqual(expect.arrayContaining(['info', 'silent']))
  })

  test.each([[[]], [['tcsh']]])('answers %j with exit code 2', async args => {
    const { code, stdout, stderr } = await sockpool('completion', ...args)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).not.toBe('')
  })
})

describe('completion of what only a running service knows', () => {
  test('offers the names and ids that it has', async () => {
    const service = await startServiceProcess({ args: ['--demo'] })
    onTestFinished(() => service.stop())
    const { id } = (await service.api.lease('demo')).view.connection
    const env = { SOCKPOOL_URL: service.url, SOCKPOOL_TOKEN: service.token ?? '' }
    // A machine that is busy may not answer in the time that a completion has.
    const comesTo = (typed: readonly string[], stdout: string) =>
      expect
        .poll(() => runCommand([process.execPath, CLI, 'complete', '--', ...typed], { env }), {
          timeout: 20_000,
        })
        .toEqual({ code: 0, stdout, stderr: '' })
    await comesTo(['pause', ''], 'demo\tactive\ndemo-tls\tactive\n:4\n')
    await comesTo(['kill', 'c'], `${id}\tdemo leased\n:4\n`)
  })

  test('never has a shell run what answers there', async () => {
    const folder = await makeFolder()
    const names = ['$(touch pwned)', '`touch pwned`', 'a;touch pwned', 'a b', '\u001b[2J', '-rf', 'fine']
    const targets = names.map(name => ({ name, state: '$(touch pwned)\n:0' }))
    const url = await serverAt((_request, response) => response.end(JSON.stringify({ targets })))
    const env = { SOCKPOOL_URL: url }
    await expect
      .poll(() => completeInBash(['sockpool', 'pause', ''], { cwd: folder, env }), { timeout: 20_000 })
      .toEqual({ code: 0, stdout: 'fine\n', stderr: '' })
    await expect(access(join(folder, 'pwned'))).rejects.toThrow('ENOENT')
  })
  test.each([
    [['targets', '>', 'pwned', '']],
    [['pause', '`touch pwned`', '']],
    [['pause', '$(touch pwned)', 'x']],
    [['targets', ';', 'touch', 'pwned']],
  ])('never has a shell run what is typed, as in %j', async typed => {
    const folder = await makeFolder()
    const env = { SOCKPOOL_URL: `http://127.0.0.1:${await refusingPort()}` }
    const offered = await completeInBash(['sockpool', ...typed], { cwd: folder, env })
    expect(offered).toEqual({ code: 0, stdout: '\n', stderr: '' })
    await expect(access(join(folder, 'pwned'))).rejects.toThrow('ENOENT')
  })
})
