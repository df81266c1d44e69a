/** What an operator may do to a target, a connection or a worker from the page, what each comes to, and how it is told. */
import type { Page } from '../page.ts'
import { some } from '../parts/format.ts'
import type { TargetFigures, VerbFigures } from '../service/figures.ts'
import type { PageCall } from '../service/service-api.ts'
import { ServiceProblem } from '../service/service-problem.ts'

export type TargetVerb = {
  readonly name: 'pause' | 'resume' | 'reconnect' | 'disable' | 'enable' | 'drain'
  readonly label: string
  /** What will come of it; null where it hurts nobody and is done without a question. */
  readonly warning: string | null
  readonly tone: 'plain' | 'danger'
  readonly done: string
}

const VERBS: Readonly<Record<TargetVerb['name'], TargetVerb>> = {
  pause: {
    name: 'pause',
    label: 'Pause',
    warning:
      'Leases go on. Callers wait within their own time, and then fail with wait_timeout, until you resume.',
    tone: 'plain',
    done: 'is paused',
  },
  resume: { name: 'resume', label: 'Resume', warning: null, tone: 'plain', done: 'is resumed' },
  reconnect: {
    name: 'reconnect',
    label: 'Reconnect',
    warning: 'Idle connections close now, leased ones when they come back. Callers get new ones.',
    tone: 'plain',
    done: 'is reconnected',
  },
  disable: {
    name: 'disable',
    label: 'Disable',
    warning: 'Callers fail with target_paused at once, those who wait too. Leases go on.',
    tone: 'danger',
    done: 'is disabled',
  },
  enable: { name: 'enable', label: 'Enable', warning: null, tone: 'plain', done: 'is enabled' },
  drain: {
    name: 'drain',
    label: 'Drain',
    warning:
      'Callers fail with draining at once, and every connection closes as it comes back, until you enable it.',
    tone: 'danger',
    done: 'is drained',
  },
}

/** The verbs that make sense in the state that it is in: those at hand, and those that are seldom wanted. */
export function verbsOf({ state }: Pick<TargetFigures, 'state'>): {
  readonly first: readonly TargetVerb[]
  readonly more: readonly TargetVerb[]
} {
  const { pause, resume, reconnect, disable, enable, drain } = VERBS
  switch (state) {
    case 'active':
      return { first: [pause, reconnect], more: [disable, drain] }
    case 'paused':
      return { first: [resume, reconnect], more: [disable, drain] }
    case 'disabled':
      return { first: [enable, reconnect], more: [drain] }
    case 'draining':
      return { first: [enable, reconnect], more: [disable] }
    default:
      return state satisfies never
  }
}

/** Asks where that is due, does it, and says what came of it. */
export function runVerb(page: Page, target: string, verb: TargetVerb): void {
  const call = { method: 'POST', path: `/v1/targets/${encodeURIComponent(target)}/${verb.name}` } as const
  const run = async (): Promise<void> => {
    await perform(
      page,
      call,
      `${verb.label} ${target}`,
      (done: VerbFigures) => `${target} ${verb.done}. ${doneText(done)}`,
    )
  }
  if (verb.warning === null) return void run()
  page.dialogs.ask({
    kind: 'confirm',
    title: `${verb.label} ${target}?`,
    text: verb.warning,
    label: verb.label,
    tone: verb.tone,
    run,
  })
}

/** `lease`: the id of the caller's own, by which it is ended; null: the connection itself is. */
export function askKill(page: Page, connection: string, target: string, lease: string | null): void {
  const path =
    lease === null
      ? `/v1/connections/${encodeURIComponent(connection)}`
      : `/v1/leases/${encodeURIComponent(lease)}?kill=true`
  page.dialogs.ask({
    kind: 'confirm',
    title: `Kill connection ${connection}?`,
    text: `The connection to ${target} closes at once. Whoever holds a lease on it finds that gone, with the reason killed, whatever was under way.`,
    label: 'Kill',
    tone: 'danger',
    run: () =>
      perform(page, { method: 'DELETE', path }, `Kill ${connection}`, () => `${connection} is killed.`),
  })
}

export function askDrainWorker(page: Page, id: number): void {
  page.dialogs.ask({
    kind: 'confirm',
    title: `Replace I/O worker ${id}?`,
    text: 'A fresh one is started in its place. Its idle connections close now, and its thread ends when its last lease is back.',
    label: 'Replace',
    tone: 'plain',
    run: () =>
      perform(
        page,
        { method: 'POST', path: `/v1/workers/${id}/drain` },
        `Replace I/O worker ${id}`,
        ({ closed, leased }: { closed: number; leased: number }) =>
          `I/O worker ${id} is replaced. ${some(closed, 'idle connection', 'idle connections')} closed, ${some(leased, 'lease', 'leases')} awaited.`,
      ),
  })
}

/** Never rejects: what failed is told. */
async function perform<T>(
  page: Page,
  call: PageCall,
  what: string,
  told: (done: T) => string,
): Promise<void> {
  const { api, notices, live } = page
  try {
    notices.good(told(await api.call<T>(call)))
  } catch (error) {
    const problem = ServiceProblem.of(error)
    // The call has ended, and what it began has not.
    if (problem.code === 'wait_timeout') notices.good(`${what} goes on: leases are still out.`)
    else notices.bad(`${what} failed.`, problem)
  }
  live.hurry()
}

/** What a verb did, in numbers; what is none is not said. */
export function doneText({ closed, refused, leased, waiters }: VerbFigures): string {
  const parts = [
    closed > 0 && `${some(closed, 'connection', 'connections')} closed`,
    refused > 0 && `${some(refused, 'caller', 'callers')} refused`,
    leased > 0 && `${some(leased, 'lease goes', 'leases go')} on`,
    waiters > 0 && `${some(waiters, 'caller waits', 'callers wait')}`,
  ].filter(part => part !== false)
  if (parts.length === 0) return 'No connection, lease or caller was touched.'
  const text = parts.join(', ')
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`
}
