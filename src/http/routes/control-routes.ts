/** What an operator tells the pool to do while it runs. Each verb needs an admin's token, and answers what it did in numbers. */
import { type TObject, Type } from 'typebox'
import type { ErrorCode } from '../../base/errors.ts'
import { RESIZABLE } from '../../pool/target/resize.ts'
import { registerJsonBodies, registerOptionalJsonBodies } from '../bytes/body-parsers.ts'
import { ADMIN_PROBLEMS } from '../document/problem-codes.ts'
import { principalOf } from '../door/principal.ts'
import type { AppLimits, ControlPort } from '../ports.ts'
import type { Calls } from './calls.ts'
import { type RouteTable, route } from './route-table.ts'
import { CLOSED, ProblemAnswer, timeoutMs } from './schemas.ts'

const tags = ['operation']
const count = Type.Integer()

const Done = Type.Object(
  {
    state: Type.String({ description: 'active, paused, disabled or draining.', examples: ['active'] }),
    closed: Type.Integer({ description: 'Connections that were closed.' }),
    refused: Type.Integer({ description: 'Callers that waited and were refused.' }),
    leased: Type.Integer({ description: 'Connections that are out on lease.' }),
    waiters: Type.Integer({ description: 'Callers that wait.' }),
  },
  { title: 'VerbDone' },
)

const NameParams = Type.Object({
  name: Type.String({ description: 'The name of a target.', examples: ['demo'] }),
})

/** Of every verb on a target. */
const VERB_PROBLEMS: readonly ErrorCode[] = [...ADMIN_PROBLEMS, 'TARGET_NOT_FOUND', 'DRAINING']

type Verb = {
  readonly name: string
  readonly summary: string
  readonly description: string
  readonly run: (control: ControlPort, target: string, options: VerbOptions) => Promise<object>
}

type VerbOptions = {
  readonly wait?: boolean
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

const VERBS: readonly Verb[] = [
  {
    name: 'pause',
    summary: 'Give out no connection of a target',
    description:
      'Leases go on, and callers wait within their own time. With `wait=true` the answer comes when the last lease is back.',
    run: (pool, target, options) => pool.pause(target, options),
  },
  {
    name: 'resume',
    summary: 'End a pause',
    description: 'Callers that wait are served.',
    run: (pool, target) => pool.resume(target),
  },
  {
    name: 'disable',
    summary: 'Refuse the callers of a target',
    description: 'Those who wait too, with target_paused. Leases go on.',
    run: (pool, target) => pool.disable(target),
  },
  {
    name: 'enable',
    summary: 'End what disable or drain began',
    description: 'Callers are served again.',
    run: (pool, target) => pool.enable(target),
  },
  {
    name: 'drain',
    summary: 'Refuse callers and close every connection as it comes back',
    description: 'The answer comes when none is left, or is 504 wait_timeout; the target drains on then.',
    run: (pool, target, options) => pool.drain(target, options),
  },
  {
    name: 'reconnect',
    summary: 'Replace the connections of a target',
    description: 'Idle ones are closed now, leased ones when they come back; callers get new ones.',
    run: (pool, target) => pool.reconnect(target),
  },
  {
    name: 'wait-close',
    summary: 'Wait until no connection from before the last reconnect is left',
    description: '504 wait_timeout where that takes too long.',
    run: (pool, target, options) => pool.waitClose(target, options),
  },
]

/** Verbs, whose bodies are empty, and the one change that says something. */
export function controlRoutes(calls: Calls, pool: ControlPort): RouteTable[] {
  const bodyBytesMax = calls.controlBodyBytesMax
  const targetVerbs = VERBS.map(verb => verbRoute(calls, pool, verb))
  const verbs = [...targetVerbs, killRoute(pool), drainWorkerRoute(calls, pool)]
  return [
    { readBodies: registerOptionalJsonBodies, bodyBytesMax, routes: verbs },
    { readBodies: registerJsonBodies, bodyBytesMax, routes: [resizeRoute(calls, pool)] },
  ]
}

function verbRoute(calls: Calls, pool: ControlPort, verb: Verb): RouteTable['routes'][number] {
  const wait = Type.Boolean({ description: 'Answer when the last lease is back; default false.' })
  const waits = verb.name === 'pause' ? { wait: Type.Optional(wait) } : {}
  return route({
    method: 'POST',
    url: `/v1/targets/:name/${verb.name}`,
    schema: {
      tags,
      operationId: `${verb.name.replace(/-c/, 'C')}Target`,
      summary: verb.summary,
      description: verb.description,
      params: NameParams,
      body: Type.Object({}, CLOSED),
      querystring: Type.Object({ timeoutMs: timeoutMs(calls.limits), ...waits }, CLOSED),
      response: { 200: Done, default: ProblemAnswer },
    },
    problems: [...VERB_PROBLEMS, 'WAIT_TIMEOUT'],
    run: request => {
      principalOf(request).assertAdmin()
      const { timeoutMs: asked, wait } = request.query as { timeoutMs?: number; wait?: boolean }
      const options = { ...calls.waitOf(request, asked), ...(wait === undefined ? {} : { wait }) }
      return verb.run(pool, request.params.name, options)
    },
  })
}

function resizeRoute(calls: Calls, pool: ControlPort): RouteTable['routes'][number] {
  const { limits } = calls
  return route({
    method: 'PATCH',
    url: '/v1/targets/:name',
    schema: {
      tags,
      operationId: 'resizeTarget',
      summary: "Change the bounds of a target's pool",
      description: 'Counts, and milliseconds. No lease is cut: a surplus goes when it comes back.',
      params: NameParams,
      body: Type.Object(
        { pool: poolSchema(limits) },
        { ...CLOSED, examples: [{ pool: { min: 0, max: 32 } }] },
      ),
      response: { 200: Done, default: ProblemAnswer },
    },
    problems: VERB_PROBLEMS,
    run: request => {
      principalOf(request).assertAdmin()
      return pool.resize(request.params.name, request.body.pool)
    },
  })
}

/** The pool itself judges the numbers. */
function poolSchema(_limits: AppLimits): TObject {
  const fields = RESIZABLE.map(name => [name, Type.Optional(Type.Number())] as const)
  return Type.Object(Object.fromEntries(fields), { ...CLOSED, minProperties: 1 })
}

function killRoute(pool: ControlPort): RouteTable['routes'][number] {
  return route({
    method: 'DELETE',
    url: '/v1/connections/:id',
    schema: {
      tags,
      operationId: 'killConnection',
      summary: 'End a connection at once',
      description: 'The lease on it is gone with the reason killed.',
      params: Type.Object({
        id: Type.String({ description: "The connection's id.", examples: ['c1'] }),
      }),
      response: {
        200: Type.Object(
          { killed: Type.String({ description: 'The id.', examples: ['c1'] }) },
          { title: 'Killed' },
        ),
        default: ProblemAnswer,
      },
    },
    problems: [...ADMIN_PROBLEMS, 'CONNECTION_NOT_FOUND'],
    run: request => {
      principalOf(request).assertAdmin()
      return pool.kill(request.params.id)
    },
  })
}

function drainWorkerRoute(calls: Calls, pool: ControlPort): RouteTable['routes'][number] {
  return route({
    method: 'POST',
    url: '/v1/workers/:id/drain',
    schema: {
      tags,
      operationId: 'drainWorker',
      summary: 'Replace an I/O worker',
      description:
        'A fresh one is started in its place, and it takes nothing new. Idle connections are closed, leases go on until they ' +
        'are released. The answer comes when its thread has ended, or is 504 wait_timeout; the drain goes on then, and a ' +
        'repeat waits for the same.',
      params: Type.Object({
        id: Type.String({ pattern: '^\\d{1,5}$', description: "The worker's id.", examples: ['0'] }),
      }),
      body: Type.Object({}, CLOSED),
      querystring: Type.Object({ timeoutMs: timeoutMs(calls.limits) }, CLOSED),
      response: {
        200: Type.Object(
          {
            id: count,
            threadId: Type.Integer({ description: 'The thread that serves in its place.' }),
            closed: Type.Integer({ description: 'Idle connections that were closed.' }),
            leased: Type.Integer({ description: 'Leased connections that were awaited.' }),
          },
          { title: 'WorkerDrained' },
        ),
        default: ProblemAnswer,
      },
    },
    problems: [...ADMIN_PROBLEMS, 'NOT_FOUND', 'WAIT_TIMEOUT', 'WORKER_LOST'],
    run: request => {
      principalOf(request).assertAdmin()
      return pool.drainWorker(Number(request.params.id), calls.waitOf(request, request.query.timeoutMs))
    },
  })
}
