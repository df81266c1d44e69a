/** The steps of a dialog, with the bytes cut wherever they can be. */
import { describe, expect, test } from 'vitest'
import { LIMITS } from '../../../src/base/limits.ts'
import type { DialogInput } from '../../../src/config/target-input.ts'
import { DialogRig } from '../../support/dialog-rig.ts'

type Form = readonly [form: string, expect: unknown, comes: string, captures: string]

const FORMS: readonly Form[] = [
  ['a text', '+OK\r\n', '+OK\r\n', '+OK\r\n'],
  ['a list', ['+O', { hex: '4b0d' }, { base64: 'Cg==' }], '+OK\r\n', '+OK\r\n'],
  ['hex', { hex: '0053ff' }, '\0S\xff', '\0S\xff'],
  ['a prefix', { prefix: '220-' }, '220-mx ready\r\n', '220-mx ready'],
  ['a prefix that is the line', { prefix: '220\n' }, '220\n', '220'],
  ['a pattern without a group', { pattern: 'b+c' }, 'aaabbc', 'bbc'],
  ['a pattern with a group', { pattern: '^(?:\\d+ )*key=(\\w+);' }, '1 22 key=abc;', 'abc'],
  ['a pattern whose group takes no part', { pattern: '(x)?y' }, 'y', ''],
  ['a pattern beyond ASCII', { pattern: 'é(.)!' }, 'zz\xc3\xa9\xc3\xa0!', '\xc3\xa0'],
  ['bytes', { bytes: 5 }, '\0\x01\x02\x03\x04', '\0\x01\x02\x03\x04'],
  ['a line', { line: true }, 'hello there\r\n', 'hello there'],
  ['an empty line', { line: true }, '\n', ''],
  ['a message', { frame: true }, '>pushed\n>and again\n+answer\n', '+answer\n'],
]

/** Captures by the form, and shows what it captured. */
function dialogWith(what: unknown): DialogInput {
  return [{ expect: what, capture: 'it' }, { send: '<{{it}}>' }] as DialogInput
}

describe.each(FORMS)('DialogRun that expects %s', (_form, what, comes, captures) => {
  test('takes it wherever it is cut, captures, and leaves what is behind it', async () => {
    const bytes = Buffer.from(`${comes}rest`, 'latin1')
    for (let cut = 0; cut <= bytes.length; cut++) {
      const rig = new DialogRig(dialogWith(what))
      await rig.receive(bytes.subarray(0, cut), bytes.subarray(cut))
      expect([rig.sent, rig.leftover, rig.run.isOver], `cut at ${cut}`).toEqual([
        `<${captures}>`,
        'rest',
        true,
      ])
      await rig.run.done
    }
  })

  test('takes it byte by byte, and not before the last one', async () => {
    const rig = new DialogRig(dialogWith(what))
    const bytes = Buffer.from(comes, 'latin1')
    await rig.receive(...[...bytes.subarray(0, -1)].map(byte => Uint8Array.of(byte)))
    expect([rig.sent, rig.run.isOver]).toEqual(['', false])
    await rig.receive(bytes.subarray(-1))
    expect([rig.sent, rig.leftover, rig.run.isOver]).toEqual([`<${captures}>`, '', true])
  })
})

describe('DialogRun', () => {
  test('sends what follows at once, and waits where something is expected', async () => {
    const rig = new DialogRig([{ send: 'a' }, { send: { hex: '62' } }, { expect: 'x' }, { send: ['c', 'd'] }])
    await rig.receive()
    expect(rig.sent).toBe('ab')
    await rig.receive('x')
    expect(rig.sent).toBe('abcd')
    await rig.run.done
  })

  test('keeps what comes early for the step that expects it', async () => {
    const rig = new DialogRig([{ wait: 20 }, { expect: 'one\n' }, { expect: { line: true } }])
    await rig.receive('one\ntw', 'o\nthree')
    expect(rig.run.isOver).toBe(false)
    await rig.run.done
    expect(rig.leftover).toBe('three')
  })

  test('leaves a step out unless the captures are as it says', async () => {
    const steps: DialogInput = [
      { expect: { pattern: '^(\\w+)\\n' }, capture: 'way' },
      { send: 'plain', when: { way: 'PLAIN' } },
      { expect: 'never', when: { way: 'LOGIN' } },
      { send: '!' },
    ]
    const rig = new DialogRig(steps)
    await rig.receive('PLAIN\n')
    expect([rig.sent, rig.run.isOver]).toEqual(['plain!', true])
  })

  test('expects what it captured', async () => {
    const steps: DialogInput = [{ expect: { line: true }, capture: 'id' }, { expect: 'again {{ id }}.' }]
    const rig = new DialogRig(steps)
    await rig.receive('a{{b}}\nagain a{{b}}.')
    await rig.run.done
    const other = new DialogRig(steps)
    await other.receive('1\nagain 2.')
    await expect(other.run.done).rejects.toMatchObject({
      code: 'DIALOG_FAILED',
      step: 2,
      reason: 'unexpected',
    })
  })

  test.each<[string, DialogInput, string, number, string]>([
    ['another text', [{ send: 'x' }, { expect: 'abc' }], 'abX', 2, 'unexpected'],
    ['another beginning of a line', [{ expect: { prefix: '220 ' } }], '5', 1, 'unexpected'],
    ['a broken message', [{ expect: { frame: true } }], '!x', 1, 'broken'],
    ['a line without an end', [{ expect: { line: true } }], 'x'.repeat(65_537), 1, 'too_long'],
    [
      'a text that the pattern never meets',
      [{ expect: { pattern: 'y' } }],
      'x'.repeat(65_537),
      1,
      'too_long',
    ],
    ['a message without an end', [{ expect: { frame: true } }], 'x'.repeat(65_537), 1, 'too_long'],
    ['more than can wait', [{ wait: 60_000 }], 'x'.repeat(65_537), 1, 'too_long'],
    [
      'a capture that was never made',
      [
        { expect: { line: true }, capture: 'a' },
        { expect: { line: true }, capture: 'b', when: { a: 'no' } },
        { send: '{{b}}' },
      ],
      'yes\n',
      3,
      'uncaptured',
    ],
  ])('fails with its step for %s', async (_what, steps, comes, step, reason) => {
    const rig = new DialogRig(steps)
    await rig.receive(comes)
    await expect(rig.run.done).rejects.toMatchObject({ code: 'DIALOG_FAILED', step, reason })
  })

  test('looks through no more than its bound for a pattern, however small the pieces', async () => {
    const rig = new DialogRig([{ expect: { pattern: 'y' } }])
    let pieces = 0
    for (; !rig.run.isOver && pieces < 10_000; pieces++) {
      rig.run.received(Buffer.from('x'))
      if (pieces % 64 === 0) await rig.receive()
    }
    await expect(rig.run.done).rejects.toMatchObject({ reason: 'too_long' })
    expect((pieces * pieces) / 2).toBeLessThan(LIMITS.dialogSearchBytesMax * 1.2)
  })

  test('takes no longer for a pattern that another engine would try in every way', async () => {
    const rig = new DialogRig([{ expect: { pattern: '^(x+x+)+y' } }])
    await rig.receive('x'.repeat(60_000), 'z')
    expect(rig.run.isOver).toBe(false)
    await rig.receive('x'.repeat(5_536))
    await expect(rig.run.done).rejects.toMatchObject({ reason: 'too_long' })
  })

  test('sends no more than its bound, whatever was captured', async () => {
    const steps: DialogInput = [{ expect: { bytes: 65_536 }, capture: 'a' }, { send: '{{a}}'.repeat(17) }]
    const rig = new DialogRig(steps)
    await rig.receive('x'.repeat(65_536))
    await expect(rig.run.done).rejects.toMatchObject({ step: 2, reason: 'too_long' })
    expect(rig.sent).toBe('')
  })

  test('fails a step that takes longer than its own time, and all of it', async () => {
    const own = new DialogRig([{ send: 'x' }, { expect: 'y', timeoutMs: 10 }])
    await expect(own.run.done).rejects.toMatchObject({ code: 'DIALOG_FAILED', step: 2, reason: 'timeout' })
    const all = new DialogRig([{ wait: 5 }, { wait: '1m' }], { timeoutMs: 20 })
    await expect(all.run.done).rejects.toMatchObject({ code: 'DIALOG_FAILED', step: 2, reason: 'timeout' })
    const first = new DialogRig([{ expect: 'y' }], { timeoutMs: 0 })
    await expect(first.run.done).rejects.toMatchObject({ step: 1, reason: 'timeout' })
  })

  test('fails as it is told, once', async () => {
    const rig = new DialogRig([{ expect: 'x' }, { expect: 'y' }])
    await rig.receive('x')
    rig.run.fail('closed')
    rig.run.fail('other')
    await expect(rig.run.done).rejects.toMatchObject({ step: 2, reason: 'closed' })
    rig.run.received(Buffer.from('late'))
    expect(rig.run.isOver).toBe(true)
  })

  test('tells neither what it sends nor what it awaits or gets', async () => {
    const steps: DialogInput = [{ send: 'AUTH hunter2' }, { expect: 'welcome' }]
    const rig = new DialogRig(steps)
    await rig.receive('-WRONG hunter3')
    const error = await rig.run.done.catch(reason => reason)
    expect(`${JSON.stringify(error)} ${error.stack}`).not.toMatch(/hunter|welcome|WRONG/)
    expect(error.message).toBe('step 2 of the dialog failed: unexpected')
  })
})

describe('DialogRun that starts TLS', () => {
  const steps: DialogInput = [
    { send: 'STARTTLS\n' },
    { expect: 'ready\n' },
    { tls: { servername: 'mx' } },
    { send: 'over TLS' },
    { expect: 'yes' },
  ]

  test('goes on behind the handshake', async () => {
    const rig = new DialogRig(steps)
    await rig.receive('ready\n')
    expect(rig.secured).toEqual([{ servername: 'mx' }])
    expect(rig.sent).toBe('STARTTLS\nover TLS')
    await rig.receive('yes')
    await rig.run.done
  })

  test('takes nothing in plain text that came before the handshake', async () => {
    const joined = new DialogRig(steps)
    await joined.receive('ready\nyes')
    await expect(joined.run.done).rejects.toMatchObject({ code: 'STARTTLS_INJECTION', step: 3 })
    expect(joined.secured).toEqual([])
    const settling = Promise.withResolvers<void>()
    const late = new DialogRig(steps, { line: { settle: () => settling.promise } })
    await late.receive('ready\n', 'yes')
    settling.resolve()
    await expect(late.run.done).rejects.toMatchObject({ code: 'STARTTLS_INJECTION', step: 3 })
    expect(late.secured).toEqual([])
  })

  test('starts nothing any more where it was ended meanwhile', async () => {
    const settling = Promise.withResolvers<void>()
    const rig = new DialogRig(steps, { line: { settle: () => settling.promise } })
    await rig.receive('ready\n')
    rig.run.fail('closed')
    settling.resolve()
    await expect(rig.run.done).rejects.toMatchObject({ code: 'DIALOG_FAILED', step: 3, reason: 'closed' })
    await rig.receive()
    expect(rig.secured).toEqual([])
  })
})
