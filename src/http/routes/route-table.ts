/**
 * Routes as tables. A row is `{ method, url, schema, run }`; its schema checks the request, types what `run` gets and
 * returns, and describes the route in OpenAPI. A table is the rows that read the same kind of body.
 */
import type { FastifyPluginCallbackTypebox, TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type {
  ContextConfigDefault,
  FastifyContextConfig,
  FastifyInstance,
  FastifySchema,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
  RouteGenericInterface,
  RouteHandlerMethod,
} from 'fastify'
import type { ErrorCode } from '../../base/errors.ts'
import { PROBLEMS } from '../document/api-shapes.ts'
import type { UpgradeConfig } from '../door/upgrades.ts'
import { type Counts, problemHandler } from '../problems.ts'

type Run<Schema extends FastifySchema> = RouteHandlerMethod<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  RouteGenericInterface,
  ContextConfigDefault,
  Schema,
  TypeBoxTypeProvider
>

export interface RouteRow<Schema extends FastifySchema> {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  readonly url: string
  readonly schema: Schema
  /** What hooks ask of the route; default: nothing. */
  readonly config?: UpgradeConfig & FastifyContextConfig
  /** Whether HEAD is answered as GET would be, without the body; default: it is. */
  readonly exposeHeadRoute?: boolean
  /** Codes of problems that are this route's own; those of the door, of bodies and of the lease in the path are known. */
  readonly problems?: readonly ErrorCode[]
  /** Answers a request that the schema has passed. What it throws becomes a problem. */
  readonly run: Run<NoInfer<Schema>>
}

type TypedApp = Parameters<FastifyPluginCallbackTypebox>[0]

interface RowOptions {
  readonly bodyLimit?: number
  readonly logLevel?: 'warn'
}

/** A row whose types were checked: what is left to do is to register it. */
type Route = (app: TypedApp, options: RowOptions) => void

export interface RouteTable {
  /** Says which bodies the routes read; default: they read none. */
  readonly readBodies?: (app: FastifyInstance) => void
  /** Bytes of a body; default: the app's limit. */
  readonly bodyBytesMax?: number
  /** What every problem of these routes counts; default: nothing. */
  readonly counts?: Counts
  /** Default: the app's. */
  readonly logLevel?: 'warn'
  readonly routes: readonly Route[]
}

/** A row of a table; the call makes TypeScript take the types of `run` from `schema`. */
export function route<const Schema extends FastifySchema>(row: RouteRow<Schema>): Route {
  const { run, problems = [], ...rest } = row
  const schema: Schema = { ...rest.schema, [PROBLEMS]: problems }
  return (app, options) => void app.route({ ...options, ...rest, schema, handler: run })
}

/** Registers each table in a scope of its own, in their order. */
export function registerRoutes(app: FastifyInstance, tables: readonly RouteTable[]): void {
  for (const { readBodies, bodyBytesMax, counts, logLevel, routes } of tables) {
    const options = {
      ...(bodyBytesMax !== undefined && { bodyLimit: bodyBytesMax }),
      ...(logLevel !== undefined && { logLevel }),
    }
    const scope: FastifyPluginCallbackTypebox = (own, _options, done) => {
      readBodies?.(own)
      if (counts) own.setErrorHandler(problemHandler(counts))
      for (const register of routes) register(own, options)
      done()
    }
    app.register(scope)
  }
}
