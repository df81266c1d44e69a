/** Values that no option of that kind may have, by name. */
type Named = readonly (readonly [name: string, value: unknown])[]

const NO_NUMBERS: Named = [
  ['NaN', Number.NaN],
  ['-1', -1],
  ['-Infinity', Number.NEGATIVE_INFINITY],
  ['text', '5'],
  ['null', null],
  ['a BigInt', 1n],
  ['a symbol', Symbol('five')],
  ['true', true],
  ['a list', [5]],
  ['a Number object', new Number(5)],
  ['a function', (): number => 5],
]

export type BadKind =
  | 'timeLimit'
  | 'duration'
  | 'count'
  | 'signal'
  | 'text'
  | 'bytes'
  | 'flag'
  | 'word'
  | 'function'
  | 'absent'
  | 'object'

const fiveAsFunction = (): number => 5

/** By what the option means. */
const BAD_VALUES: Readonly<Record<BadKind, Named>> = {
  /** Infinity is no limit. */
  timeLimit: [...NO_NUMBERS, ['2^31', 2 ** 31], ['more than 2^31-1', 2 ** 31 - 0.5]],
  duration: [...NO_NUMBERS, ['2^31', 2 ** 31], ['Infinity', Number.POSITIVE_INFINITY]],
  count: [...NO_NUMBERS, ['a fraction', 1.5], ['Infinity', Number.POSITIVE_INFINITY]],
  signal: [
    ['text', 'x'],
    ['null', null],
    ['a number', 1],
    ['an object', {}],
    ['an EventTarget', new EventTarget()],
    ['half of one', { aborted: false, addEventListener: fiveAsFunction }],
    ['a controller', new AbortController()],
    ['a function', fiveAsFunction],
  ],
  text: [
    ['a number', 5],
    ['null', null],
    ['a symbol', Symbol('it')],
    ['a list', ['it']],
    ['a function', fiveAsFunction],
  ],
  bytes: [
    ['a number', 5],
    ['null', null],
    ['a symbol', Symbol('it')],
    ['a list', [['it']]],
    ['an ArrayBuffer', new ArrayBuffer(1)],
    ['a function', fiveAsFunction],
  ],
  flag: [
    ['a number', 1],
    ['null', null],
    ['text', 'false'],
  ],
  word: [
    ['another word', 'sometimes'],
    ['null', null],
    ['a symbol', Symbol('raise')],
    ['a list', ['raise']],
  ],
  function: [
    ['null', null],
    ['text', 'x'],
    ['an object', {}],
  ],
  absent: [['undefined', undefined]],
  object: [
    ['null', null],
    ['a number', 5],
    ['text', 'x'],
    ['a function', fiveAsFunction],
  ],
}

/** A call with one option: its path, of what kind it is, and the call with a value for it. */
export type OptionRow = readonly [call: string, path: string, kind: BadKind, run: (value: never) => unknown]

type Refusal = { readonly code?: unknown; readonly errors?: ReadonlyArray<{ readonly path: string }> }

/** What is not refused as it should be: each bad value that the call took, or refused in other words. */
export async function unrefused([call, path, kind, run]: OptionRow): Promise<string[]> {
  const faults: string[] = []
  for (const [name, value] of BAD_VALUES[kind]) {
    const told = await outcomeOf(() => run(value as never))
    if (told !== `INVALID_REQUEST ${path}`) faults.push(`${call} with ${path} ${name}: ${told}`)
  }
  return faults
}

async function outcomeOf(run: () => unknown): Promise<string> {
  try {
    await run()
    return 'was taken'
  } catch (error) {
    const { code, errors } = error as Refusal
    return code === undefined ? String(error) : `${String(code)} ${errors?.map(fault => fault.path).join()}`
  }
}
