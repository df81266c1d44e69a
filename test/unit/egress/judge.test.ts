import { describe, expect, test } from 'vitest'
import type { Decision } from '../../../src/base/egress-data.ts'
import { SockpoolError } from '../../../src/base/errors.ts'
import { type Address, parseAddress } from '../../../src/egress/address.ts'
import { cleaned } from '../../../src/egress/decision.ts'
import { EgressRules } from '../../../src/egress/egress-rules.ts'
import { type Authority, admit, judge } from '../../../src/egress/judge.ts'
import type { NameResolver, ResolveOptions } from '../../../src/egress/resolver.ts'

/** Answers every name with the same addresses and writes down who was asked what. */
class FakeResolver implements NameResolver {
  readonly asked: string[] = []
  readonly #answer: readonly string[]

  constructor(answer: readonly string[]) {
    this.#answer = answer
  }

  resolveByDns(name: string, options: ResolveOptions): Promise<readonly Address[]> {
    this.asked.push(`dns ${name} for ${options.tenant ?? 'nobody'}`)
    return this.#found()
  }

  resolveBySystem(name: string): Promise<readonly Address[]> {
    this.asked.push(`system ${name}`)
    return this.#found()
  }

  async #found(): Promise<readonly Address[]> {
    return this.#answer.flatMap(text => parseAddress(text) ?? [])
  }
}

const nobody = new FakeResolver([])
const operator: Authority = { kind: 'operator' }

function byRules(...allow: string[]): Authority {
  return { kind: 'rules', rules: new EgressRules(allow), tenant: 'ops' }
}

async function texts(found: Promise<readonly Address[]>): Promise<readonly string[]> {
  return (await found).map(address => address.text)
}

describe('judge', () => {
  test('judge approves a literal without asking anyone', async () => {
    const resolver = new FakeResolver([])
    const target = { host: '::ffff:8.8.8.8', port: 443, authority: byRules('*') }
    expect(await judge(target, resolver)).toEqual([parseAddress('8.8.8.8')])
    expect(resolver.asked).toEqual([])
  })

  test('judge resolves a name by DNS, in its order and without repeats', async () => {
    const resolver = new FakeResolver(['2606:4700::1', '8.8.8.8', '8.8.8.8'])
    const target = { host: 'Example.com.', port: 443, authority: byRules('*') }
    expect(await texts(judge(target, resolver))).toEqual(['2606:4700::1', '8.8.8.8'])
    expect(resolver.asked).toEqual(['dns example.com for ops'])
  })

  test('judge denies a name whose answer holds one denied address', async () => {
    const resolver = new FakeResolver(['8.8.8.8', '10.0.0.1'])
    const target = { host: 'example.com', port: 443, authority: byRules('*', 'example.com') }
    await expect(judge(target, resolver)).rejects.toMatchObject({ code: 'TARGET_DENIED', status: 403 })
  })

  test('judge admits a private address of a named name by a rule inside its range', async () => {
    const resolver = new FakeResolver(['10.0.0.5'])
    const host = 'cache.example.com'
    const both = byRules('*.example.com:6379', '10.0.0.0/8:6379')
    expect(await texts(judge({ host, port: 6379, authority: both }, resolver))).toEqual(['10.0.0.5'])
    const block = byRules('10.0.0.0/8:6379')
    expect(await texts(judge({ host, port: 6379, authority: block }, resolver))).toEqual(['10.0.0.5'])
    const name = byRules('*.example.com:6379')
    await expect(judge({ host, port: 6379, authority: name }, resolver)).rejects.toMatchObject({
      code: 'TARGET_DENIED',
    })
  })

  test('judge denies a name of which a block rule admits only a part', async () => {
    const resolver = new FakeResolver(['8.8.8.8', '8.8.4.4'])
    const target = { host: 'example.com', port: 443, authority: byRules('8.8.8.0/24') }
    await expect(judge(target, resolver)).rejects.toMatchObject({ code: 'TARGET_DENIED' })
  })

  test('judge denies an answer of more than sixteen records', async () => {
    const many = (count: number): FakeResolver =>
      new FakeResolver(Array.from({ length: count }, (_, n) => `8.8.8.${n}`))
    const target = { host: 'example.com', port: 443, authority: byRules('*') }
    expect(await judge(target, many(16))).toHaveLength(16)
    await expect(judge(target, many(17))).rejects.toMatchObject({ code: 'TARGET_DENIED' })
  })

  test('judge asks nobody about a name that no rule could open', async () => {
    const resolver = new FakeResolver(['8.8.8.8'])
    for (const host of ['example.com', 'localhost', 'redis', 'metadata.google.internal'])
      await expect(judge({ host, port: 443, authority: byRules('*:80') }, resolver)).rejects.toMatchObject({
        code: 'TARGET_DENIED',
      })
    expect(resolver.asked).toEqual([])
  })

  test('judge takes the operator at their word, loopback and private included', async () => {
    const target = { host: '127.0.0.1', port: 6379, authority: operator }
    expect(await texts(judge(target, nobody))).toEqual(['127.0.0.1'])
    const resolver = new FakeResolver(['::1', '127.0.0.1', '127.0.0.1'])
    const named = { host: 'localhost', port: 6379, authority: operator }
    expect(await texts(judge(named, resolver))).toEqual(['::1', '127.0.0.1'])
    expect(resolver.asked).toEqual(['system localhost'])
  })

  test('judge tries at most sixteen addresses of an operator', async () => {
    const resolver = new FakeResolver(Array.from({ length: 40 }, (_, n) => `10.0.0.${n}`))
    expect(await judge({ host: 'db', port: 1, authority: operator }, resolver)).toHaveLength(16)
  })

  test('judge parses for the operator as for anyone', async () => {
    const target = { host: '127.1', port: 6379, authority: operator }
    await expect(judge(target, nobody)).rejects.toMatchObject({ code: 'INVALID_REQUEST', status: 400 })
    const zero = { host: '127.0.0.1', port: 0, authority: operator }
    await expect(judge(zero, nobody)).rejects.toMatchObject({ errors: [{ path: 'port' }] })
  })

  test('judge approves nothing where a resolver finds nothing', async () => {
    const target = { host: 'example.com', port: 443, authority: byRules('*') }
    await expect(judge(target, nobody)).rejects.toThrow('invariant')
  })

  test('judge refuses in the same words for every reason', async () => {
    const authority: Authority = {
      kind: 'rules',
      rules: new EgressRules(['*:443', '127.0.0.0/8'], [{ address: '127.0.0.1', port: 7070 }]),
    }
    const resolver = new FakeResolver(['8.8.8.8', '127.0.0.1'])
    const refused = [
      { host: '127.0.0.1', port: 7070 },
      { host: '10.0.0.1', port: 443 },
      { host: '8.8.8.8', port: 80 },
      { host: 'redis', port: 443 },
      { host: 'example.com', port: 80 },
      { host: 'metadata.google.internal', port: 443 },
    ]
    const seen = new Set<string>()
    for (const target of refused) {
      const error = await judge({ ...target, authority }, resolver).catch((caught: unknown) => caught)
      expect(error).toBeInstanceOf(SockpoolError)
      seen.add(JSON.stringify(error))
    }
    const mixed = new FakeResolver(['8.8.8.8', '10.0.0.1'])
    seen.add(
      JSON.stringify(
        await judge({ host: 'example.com', port: 443, authority }, mixed).catch((error: unknown) => error),
      ),
    )
    expect([...seen]).toEqual([
      JSON.stringify({ code: 'TARGET_DENIED', message: 'The target may not be dialled', retryable: false }),
    ])
  })
})

describe('admit', () => {
  test('admit judges a literal and leaves a name to be resolved', () => {
    expect(admit({ host: '8.8.8.8', port: 443, authority: byRules('*') })).toMatchObject({
      kind: 'address',
      port: 443,
      rule: '*',
    })
    expect(admit({ host: 'Example.com', port: 443, authority: byRules('*') })).toEqual({
      kind: 'name',
      port: 443,
      name: 'example.com',
      rule: undefined,
    })
    expect(admit({ host: 'db', port: 5432, authority: operator })).toMatchObject({ kind: 'name', name: 'db' })
  })

  test('admit refuses early what no answer of the DNS could open', () => {
    expect(() => admit({ host: '10.0.0.1', port: 443, authority: byRules('*') })).toThrow(
      expect.objectContaining({ code: 'TARGET_DENIED' }),
    )
    expect(() => admit({ host: 'localhost', port: 443, authority: byRules('*') })).toThrow(
      expect.objectContaining({ code: 'TARGET_DENIED' }),
    )
    expect(() => admit({ host: 'a b', port: 443, authority: byRules('*') })).toThrow(
      expect.objectContaining({ code: 'INVALID_REQUEST' }),
    )
  })
})

describe('judge records', () => {
  async function recordOf(
    target: { host: string; port: number; authority: Authority },
    resolver: NameResolver,
  ): Promise<Decision> {
    const decisions: Decision[] = []
    await judge(target, resolver, undefined, decision => decisions.push(decision)).catch(() => undefined)
    expect(decisions).toHaveLength(1)
    const [decision] = decisions
    if (!decision) throw new Error('no decision was recorded')
    expect(decision.elapsedMs).toBeGreaterThanOrEqual(0)
    return decision
  }

  test('judge records an admission with the rule that made it', async () => {
    const target = { host: 'example.com', port: 443, authority: byRules('10.0.0.0/8', '*.com') }
    expect(await recordOf(target, new FakeResolver(['8.8.8.8']))).toMatchObject({
      verdict: 'admitted',
      authority: 'rules',
      tenant: 'ops',
      host: 'example.com',
      port: 443,
      addresses: ['8.8.8.8'],
      rule: '*.com',
      reason: null,
      detail: null,
    })
  })

  test('judge records why it refused, with the whole answer', async () => {
    const target = { host: 'example.com', port: 443, authority: byRules('*') }
    expect(await recordOf(target, new FakeResolver(['8.8.8.8', '10.0.0.1']))).toMatchObject({
      verdict: 'denied',
      addresses: ['8.8.8.8', '10.0.0.1'],
      rule: null,
      reason: 'mixed_answer',
      detail: 'private',
    })
    expect(await recordOf(target, new FakeResolver(['10.0.0.1']))).toMatchObject({
      reason: 'special_range',
      detail: 'private',
    })
    expect(await recordOf(target, new FakeResolver(Array<string>(20).fill('8.8.8.8')))).toMatchObject({
      reason: 'too_many_records',
    })
  })

  test('judge records a failure as such', async () => {
    const target = { host: 'db', port: 443, authority: operator }
    const failing = (error: Error): NameResolver => {
      const fail = (): Promise<never> => Promise.reject(error)
      return { resolveByDns: fail, resolveBySystem: fail }
    }
    const dns = new SockpoolError('DNS_FAILED', 'none', { reason: 'ENOTFOUND' })
    expect(await recordOf(target, failing(dns))).toMatchObject({
      verdict: 'failed',
      authority: 'operator',
      tenant: null,
      reason: 'unresolved',
      detail: 'ENOTFOUND',
    })
    expect(await recordOf(target, failing(new SockpoolError('QUEUE_FULL', 'full')))).toMatchObject({
      reason: 'unresolved',
      detail: 'QUEUE_FULL',
    })
    expect(await recordOf(target, failing(new SockpoolError('ABORTED', 'gone')))).toMatchObject({
      reason: 'aborted',
      detail: 'ABORTED',
    })
    expect(await recordOf(target, failing(new Error('a fault')))).toMatchObject({
      verdict: 'failed',
      detail: null,
    })
  })

  test('judge records nothing that could forge a log line', async () => {
    const host = 'evil\r\n{"level":"info"}\u2028\u001b[31m'
    const target = { host, port: 443, authority: byRules('*') }
    const { host: shown, reason, verdict } = await recordOf(target, nobody)
    expect(shown).toBe('evil??{"level":"info"}??[31m')
    expect({ reason, verdict }).toEqual({ reason: 'malformed', verdict: 'denied' })
  })

  test.each([
    [null, '(null)'],
    [['127.0.0.1'], '(object)'],
    [7, '(number)'],
    ['x'.repeat(300), 'x'.repeat(255)],
  ])('cleaned writes %j short and plain', (value, expected) => {
    expect(cleaned(value)).toBe(expected)
  })
})
