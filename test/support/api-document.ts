/** The OpenAPI document of an app that serves nobody: what the sources say of the API. */
import { handBuiltApp } from './hand-built-app.ts'

export type ApiSchema = Readonly<Record<string, unknown>> & {
  readonly type?: string
  readonly enum?: readonly unknown[]
  readonly anyOf?: readonly ApiSchema[]
  readonly items?: ApiSchema
  readonly properties?: Readonly<Record<string, ApiSchema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: unknown
}

export type ApiMedia = { readonly schema?: ApiSchema; readonly example?: unknown; readonly examples?: object }
export type ApiContent = Readonly<Record<string, ApiMedia>>

export type ApiParameter = {
  readonly name: string
  readonly in: string
  readonly required?: boolean
  readonly description?: string
  readonly schema: ApiSchema
  readonly example?: unknown
}

export type ApiHeader = {
  readonly required?: boolean
  readonly description?: string
  readonly schema: ApiSchema
}

export type ApiAnswer = {
  readonly description: string
  readonly headers?: Readonly<Record<string, ApiHeader>>
  readonly content?: ApiContent
}

export type ApiOperation = {
  readonly operationId?: string
  readonly tags?: readonly string[]
  readonly summary?: string
  readonly description?: string
  readonly security?: readonly object[]
  readonly parameters?: readonly ApiParameter[]
  readonly requestBody?: { readonly required?: boolean; readonly content: ApiContent }
  readonly responses: Readonly<Record<string, ApiAnswer | { readonly $ref: string }>>
}

export type ApiDocument = {
  readonly tags: readonly { readonly name: string; readonly description: string }[]
  readonly paths: Readonly<Record<string, Readonly<Record<string, ApiOperation>>>>
  readonly components: Readonly<Record<string, Readonly<Record<string, unknown>>>>
}

let made: Promise<ApiDocument> | undefined

/** Made once for each process. */
export function apiDocument(): Promise<ApiDocument> {
  made ??= makeDocument()
  return made
}

async function makeDocument(): Promise<ApiDocument> {
  const app = handBuiltApp({ forwards: {} })
  await app.ready()
  const document = app.swagger() as unknown as ApiDocument
  await app.close()
  return document
}

/** What a reference leads to; anything else is itself. */
export function dereferenced<T extends object>(
  document: ApiDocument,
  value: T | { readonly $ref: string },
): T {
  if (!('$ref' in value) || typeof value.$ref !== 'string') return value as T
  let found: unknown = document
  for (const step of value.$ref.slice('#/'.length).split('/'))
    found = (found as Readonly<Record<string, unknown>>)[step.replaceAll('~1', '/').replaceAll('~0', '~')]
  if (typeof found !== 'object' || found === null) throw new Error(`${value.$ref} leads nowhere`)
  return found as T
}
