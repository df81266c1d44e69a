/**
 * Makes the OpenAPI document whole. The generator knows the routes' schemas; what follows from them is added here, for
 * every route alike: the problems by status, an example of each body, headers, and schemas that have a name of their own.
 */
import type { ErrorCode } from '../../base/errors.ts'
import {
  type ApiAnswer,
  type ApiDocument,
  type ApiHeader,
  type ApiMedia,
  type ApiOperation,
  PROBLEMS,
  type Reference,
} from './api-shapes.ts'
import { type ExampleSchema, exampleOf } from './example-of.ts'
import {
  acceptParameter,
  canonicalName,
  REDIRECT_ANSWER,
  REDIRECT_PARAMETER,
  TRACE_PARAMETER,
  VARY_HEADER,
} from './header-parameters.ts'
import { NamedSchemas } from './named-schemas.ts'
import { byStatus, problemAnswer, problemExample } from './problem-answers.ts'
import { isOwned, problemsOf } from './problem-codes.ts'

/** Completes the generator's document in place. */
export function completeDocument(document: ApiDocument): void {
  const schemas = new NamedSchemas()
  const answers: Record<string, object> = {}
  const codes = new Set<ErrorCode>()
  for (const [path, operations] of Object.entries(document.paths))
    for (const [method, operation] of Object.entries(operations)) {
      completeRequest(path, operation)
      for (const answer of Object.values(operation.responses)) completeAnswer(answer, schemas)
      const own = codesOf(path, method, operation)
      for (const code of own) codes.add(code)
      if (isOwned(path)) operation.responses['307'] = structuredClone(REDIRECT_ANSWER)
      Object.assign(operation.responses, problemAnswers(own, answers))
      delete operation[PROBLEMS]
    }
  document.components = {
    ...document.components,
    schemas: schemas.all,
    responses: answers,
    examples: Object.fromEntries([...codes].map(code => [code.toLowerCase(), problemExample(code)])),
  }
}

function completeRequest(path: string, operation: ApiOperation): void {
  const { requestBody } = operation
  const parameters = (operation.parameters ?? []).map(parameter =>
    parameter.in === 'header' ? { ...parameter, name: canonicalName(parameter.name) } : parameter,
  )
  const success = successOf(operation)
  const types = Object.keys(success?.content ?? {})
  if (success && types.length > 1) {
    parameters.push(acceptParameter(types))
    success.headers = { ...success.headers, vary: VARY_HEADER }
  }
  if (isOwned(path)) parameters.push({ ...REDIRECT_PARAMETER })
  if (path.startsWith('/v1/')) parameters.push({ ...TRACE_PARAMETER })
  if (parameters.length > 0) operation.parameters = parameters
  if (requestBody === undefined) return
  for (const [type, media] of Object.entries(requestBody.content)) addExample(type, media)
  requestBody.required = Object.entries(requestBody.content).every(
    ([type, { schema }]) => isJson(type) && !mayBeEmpty(schema),
  )
}

/** Where no field is required the body may be left out. */
function mayBeEmpty(schema: ExampleSchema = {}): boolean {
  return schema.type === 'object' && (schema.required ?? []).length === 0
}

function completeAnswer(answer: ApiAnswer | Reference, schemas: NamedSchemas): void {
  if ('$ref' in answer) return
  // The generator's own word for an answer whose schema says nothing.
  if (answer.description === 'Default Response') answer.description = 'What was asked for.'
  const { headers } = answer
  if (headers !== undefined) {
    for (const header of Object.values(headers)) completeHeader(header)
    const named = Object.entries(headers).map(([name, header]) => [canonicalName(name), header] as const)
    answer.headers = Object.fromEntries(named)
  }
  for (const [type, media] of Object.entries(answer.content ?? {})) {
    if (!type.endsWith('problem+json')) addExample(type, media)
    if (media.schema !== undefined) media.schema = schemas.named(media.schema) as ExampleSchema & object
  }
}

/** The generator keeps in the schema what belongs beside it. */
function completeHeader(header: ApiHeader): void {
  if (header.required !== undefined) return
  const { required, examples, ...schema } = header.schema
  const [example] = Array.isArray(examples) ? examples : [exampleOf(schema)]
  header.required = required === true
  header.schema = schema
  if (example !== undefined) header.example = example
}

function addExample(type: string, media: ApiMedia): void {
  if (media.example !== undefined || media.examples !== undefined) return
  const example = exampleOf(media.schema ?? {})
  if (example !== undefined) media.example = example
  else if (!isJson(type)) media.example = BYTES_EXAMPLES[type]
}

/** What bytes may look like where no schema tells. */
const BYTES_EXAMPLES: Readonly<Record<string, string>> = {
  'application/octet-stream': 'hello\n',
  'application/x-ndjson': '{"a":1}\n[2]\n',
  'text/event-stream': 'id: 0\ndata: hello\n\n',
  'text/plain': 'hello\n',
}

function codesOf(path: string, method: string, operation: ApiOperation): readonly ErrorCode[] {
  const types = Object.keys(operation.requestBody?.content ?? {})
  return problemsOf({
    method,
    path,
    isOpen: operation.security?.length === 0,
    takesAnyType: types.includes('application/octet-stream') && !types.some(isJson),
    own: operation[PROBLEMS] ?? [],
  })
}

/** Answers that are alike stand once among the components. */
function problemAnswers(
  codes: readonly ErrorCode[],
  shared: Record<string, object>,
): Record<string, Reference> {
  const references = byStatus(codes).map(([status, own]) => {
    const { name, value } = problemAnswer(status, own)
    shared[name] = value
    const { description } = value
    return [String(status), { $ref: `#/components/responses/${name}`, description }] as const
  })
  return Object.fromEntries(references)
}

function successOf({ responses }: ApiOperation): ApiAnswer | undefined {
  const [status] = Object.keys(responses).filter(name => name.startsWith('2'))
  const answer = status === undefined ? undefined : responses[status]
  return answer === undefined || '$ref' in answer ? undefined : answer
}

function isJson(type: string): boolean {
  return type === 'application/json'
}
