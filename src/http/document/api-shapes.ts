/** The parts of an OpenAPI document that are looked at and changed here. */
import type { ErrorCode } from '../../base/errors.ts'
import type { ExampleSchema } from './example-of.ts'

/** Under this key a route's schema names the problems that are its own, by their codes. */
export const PROBLEMS = 'x-problems'

export type ApiMedia = { schema?: ExampleSchema & object; example?: unknown; examples?: unknown }
type Content = Record<string, ApiMedia>
export type ApiHeader = {
  description?: string
  required?: boolean
  schema: Record<string, unknown>
  example?: unknown
}
export type Reference = { readonly $ref: string; readonly description?: string }
export type ApiAnswer = { description: string; headers?: Record<string, ApiHeader>; content?: Content }
export type ApiParameter = { name: string; in: string; readonly [field: string]: unknown }

export type ApiOperation = {
  readonly security?: readonly object[]
  parameters?: ApiParameter[]
  requestBody?: { required?: boolean; content: Content }
  responses: Record<string, ApiAnswer | Reference>
  [PROBLEMS]?: readonly ErrorCode[]
}

export type ApiDocument = {
  readonly paths: Record<string, Record<string, ApiOperation>>
  components: Record<string, Record<string, unknown>>
}
