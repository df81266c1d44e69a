import { describe, expect, test } from 'vitest'
import { bashScript } from '../../../src/command/bash-script.ts'

describe('bashScript', () => {
  test('refuses a script that it does not know', () => {
    expect(() => bashScript('out=$(eval "$all")')).toThrow('the completion script has changed')
  })
})
