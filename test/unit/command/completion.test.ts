import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { command } from '../../support/own-command.ts'

describe('complete', () => {
  it('knows every command, and every flag of each', async () => {
    const lines: string[] = []
    const log = vi.spyOn(console, 'log').mockImplementation(line => void lines.push(String(line)))
    onTestFinished(() => log.mockRestore())
    const words = async (...typed: string[]): Promise<readonly string[]> => {
      lines.length = 0
      expect((await command(['complete', '--', ...typed])).code).toBe(0)
      return lines.map(line => line.split('\t')[0] ?? '')
    }
    const { stdout } = await command(['help'])
    const names = [...stdout.matchAll(/^ {2}([a-z][a-z-]*)/gm)].map(([, name = '']) => name)
    expect(names.length).toBeGreaterThan(25)
    expect(await words('')).toEqual(expect.arrayContaining(names.filter(name => name !== 'help')))
    for (const name of names.filter(name => name !== 'help' && name !== 'config')) {
      const help = (await command(['help', name])).stdout
      const flags = [...help.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)].map(([, flag = '']) => flag)
      expect(await words(name, '--')).toEqual(expect.arrayContaining(flags.filter(flag => flag !== '--help')))
    }
  })
})
