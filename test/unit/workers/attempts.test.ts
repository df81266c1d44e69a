import { expect, onTestFinished, test, vi } from 'vitest'
import { SockpoolError } from '../../../src/base/errors.ts'
import { parseAddress } from '../../../src/egress/address.ts'
import { AttemptErrors, attemptsError, firstOf, interleaved } from '../../../workers/io/attempts.ts'

/** Attempts that the test settles by hand. */
class Attempts {
  readonly begun: string[] = []
  readonly cancelled: string[] = []
  readonly #settle = new Map<string, { resolve: (value: string) => void; reject: (error: Error) => void }>()

  attempt = (name: string, signal: AbortSignal): Promise<string> => {
    this.begun.push(name)
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    this.#settle.set(name, { resolve, reject })
    signal.addEventListener('abort', () => {
      this.cancelled.push(name)
      reject(new Error('cancelled'))
    })
    return promise
  }

  async succeed(name: string): Promise<void> {
    this.#settle.get(name)?.resolve(name)
    await vi.advanceTimersByTimeAsync(0)
  }

  async fail(name: string, error: Error = new Error(name)): Promise<void> {
    this.#settle.get(name)?.reject(error)
    await vi.advanceTimersByTimeAsync(0)
  }
}

function race(delayMs?: number, isFinal: (error: unknown) => boolean = () => false) {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  const attempts = new Attempts()
  const stop = new AbortController()
  const result = firstOf(['a', 'b', 'c'], attempts.attempt, { delayMs, isFinal, signal: stop.signal })
  result.catch(() => {})
  return { attempts, stop, result }
}

test('firstOf without a delay tries one after another', async () => {
  const { attempts, result } = race()
  await vi.advanceTimersByTimeAsync(60_000)
  expect(attempts.begun).toEqual(['a'])
  await attempts.fail('a')
  expect(attempts.begun).toEqual(['a', 'b'])
  await attempts.succeed('b')
  expect(await result).toBe('b')
  expect(attempts.begun).toEqual(['a', 'b'])
  expect(vi.getTimerCount()).toBe(0)
})

test('firstOf with a delay starts the next when it has passed, and the first success cancels the rest', async () => {
  const { attempts, result } = race(250)
  await vi.advanceTimersByTimeAsync(249)
  expect(attempts.begun).toEqual(['a'])
  await vi.advanceTimersByTimeAsync(1)
  expect(attempts.begun).toEqual(['a', 'b'])
  await attempts.succeed('b')
  expect(await result).toBe('b')
  expect(attempts.cancelled).toEqual(expect.arrayContaining(['a']))
  await vi.advanceTimersByTimeAsync(1_000)
  expect(attempts.begun).toEqual(['a', 'b'])
  expect(vi.getTimerCount()).toBe(0)
})

test('firstOf with a delay starts the next at once when the previous one fails', async () => {
  const { attempts, result } = race(250)
  await attempts.fail('a')
  expect(attempts.begun).toEqual(['a', 'b'])
  await vi.advanceTimersByTimeAsync(249)
  expect(attempts.begun).toEqual(['a', 'b'])
  await vi.advanceTimersByTimeAsync(1)
  expect(attempts.begun).toEqual(['a', 'b', 'c'])
  await attempts.succeed('c')
  expect(await result).toBe('c')
})

test('firstOf rejects with all errors, in the order of the attempts', async () => {
  const { attempts, result } = race(10)
  await vi.advanceTimersByTimeAsync(20)
  for (const name of ['c', 'a', 'b']) await attempts.fail(name)
  const error = await result.catch(reason => reason)
  expect(error).toBeInstanceOf(AttemptErrors)
  expect(error.errors.map(({ message }: Error) => message)).toEqual(['a', 'b', 'c'])
})

test('firstOf ends with a final error and cancels the rest', async () => {
  const { attempts, result } = race(10, error => error instanceof Error && error.message === 'b')
  await vi.advanceTimersByTimeAsync(10)
  await attempts.fail('b')
  const error = await result.catch(reason => reason)
  expect(error.errors.at(-1).message).toBe('b')
  expect(attempts.cancelled).toContain('a')
  await vi.advanceTimersByTimeAsync(1_000)
  expect(attempts.begun).toEqual(['a', 'b'])
})

test('firstOf that is aborted cancels what is under way and starts nothing', async () => {
  const { attempts, stop, result } = race(10)
  await vi.advanceTimersByTimeAsync(10)
  stop.abort()
  await expect(result).rejects.toMatchObject({ code: 'ABORTED' })
  await vi.advanceTimersByTimeAsync(1_000)
  expect(attempts.begun).toEqual(['a', 'b'])
  expect(attempts.cancelled).toEqual(['a', 'b'])
})

const refused = (host: string): SockpoolError =>
  new SockpoolError('CONNECT_REFUSED', `connect ECONNREFUSED ${host}`, { reason: 'ECONNREFUSED' })
const unreachable = new SockpoolError('CONNECT_FAILED', 'connect EHOSTUNREACH', { reason: 'EHOSTUNREACH' })

test('attemptsError of one error is that error, and of equal texts the first', () => {
  const [one, same] = [refused('a'), refused('a')]
  expect(attemptsError([one])).toBe(one)
  expect(attemptsError([one, same])).toBe(one)
})

test('attemptsError of different errors has all their texts and an AggregateError as cause', () => {
  const error = attemptsError([refused('a'), unreachable])
  expect(error).toMatchObject({
    code: 'CONNECT_FAILED',
    message: 'Multiple exceptions: connect ECONNREFUSED a, connect EHOSTUNREACH',
    retryable: true,
  })
  expect(error.reason).toBeUndefined()
  expect((error.cause as AggregateError).errors).toHaveLength(2)
})

test('attemptsError keeps the code and the reason that all share', () => {
  expect(attemptsError([refused('a'), refused('b')])).toMatchObject({
    code: 'CONNECT_REFUSED',
    reason: 'ECONNREFUSED',
    message: 'Multiple exceptions: connect ECONNREFUSED a, connect ECONNREFUSED b',
  })
})

test('interleaved takes the families in turn', () => {
  const texts = ['2001:db8::1', '2001:db8::2', '192.0.2.1', '2001:db8::3', '192.0.2.2']
  const addresses = texts.flatMap(text => parseAddress(text) ?? [])
  expect(interleaved(addresses).map(({ text }) => text)).toEqual([
    '2001:db8::1',
    '192.0.2.1',
    '2001:db8::2',
    '192.0.2.2',
    '2001:db8::3',
  ])
})

test('firstOf takes what an attempt throws at once for its failure', async () => {
  const attempt = (name: string): Promise<string> => {
    if (name === 'a') throw new Error('at once')
    return Promise.resolve(name)
  }
  const rules = { delayMs: undefined, isFinal: () => false, signal: new AbortController().signal }
  expect(await firstOf(['a', 'b'], attempt, rules)).toBe('b')
})

test('firstOf tells each attempt how many are left', async () => {
  const left: [string, number][] = []
  const attempt = (name: string, _signal: AbortSignal, more: number): Promise<never> => {
    left.push([name, more])
    return Promise.reject(new Error(name))
  }
  const rules = { delayMs: undefined, isFinal: () => false, signal: new AbortController().signal }
  await expect(firstOf(['a', 'b', 'c'], attempt, rules)).rejects.toBeInstanceOf(AttemptErrors)
  expect(left).toEqual([
    ['a', 3],
    ['b', 2],
    ['c', 1],
  ])
})
