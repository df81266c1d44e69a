/**
 * Holds answers of a service to its OpenAPI document: the status, the code of a problem, the content type, the headers and
 * the body, each as the operation describes it. The `default` answer excuses nothing.
 */
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import {
  type ApiAnswer,
  type ApiDocument,
  type ApiOperation,
  apiDocument,
  dereferenced,
} from './api-document.ts'

export type HeldAnswer = {
  readonly status: number
  /** By name in lower case. */
  readonly headers: ReadonlyMap<string, string>
  readonly bytes: Buffer
}

/** Headers of HTTP itself, and of rules that hold for every route. */
const OF_HTTP =
  /^(connection|content-length|content-type|date|keep-alive|transfer-encoding|trailer|vary|cache-control|x-accel-buffering|etag|last-modified|accept-ranges|access-control-.*)$/

const PROBLEM = 'application/problem+json'

export class DescribedAnswers {
  readonly #document: ApiDocument
  readonly #ajv: Ajv2020
  readonly #checks = new Map<string, ValidateFunction>()
  readonly #templates: readonly { readonly path: string; readonly matches: RegExp }[]

  constructor(document: ApiDocument) {
    this.#document = document
    this.#ajv = new Ajv2020({ strict: false, allErrors: true })
    addFormats.default(this.#ajv)
    this.#ajv.addSchema(document, 'api')
    // A path without parameters comes before one that would match it too.
    this.#templates = Object.keys(document.paths)
      .toSorted((one, other) => one.split('{').length - other.split('{').length)
      .map(path => ({ path, matches: new RegExp(`^${path.replace(/\{\w+\}/g, '[^/]*')}$`) }))
  }

  /** The path and operation that a request means; null where there is none. */
  find(method: string, target: string): { readonly path: string; readonly operation: ApiOperation } | null {
    const [pathname = ''] = target.split(/[?#]/)
    const verb = method === 'HEAD' ? 'get' : method.toLowerCase()
    for (const { path, matches } of this.#templates) {
      const operation = matches.test(pathname) ? this.#document.paths[path]?.[verb] : undefined
      if (operation) return { path, operation }
    }
    return null
  }

  /** What is wrong with an answer; null where it is as described. */
  faultOf(method: string, target: string, answer: HeldAnswer): string | null {
    // What goes on for as long as something comes answers no HEAD.
    const found = method === 'HEAD' && answer.status === 404 ? null : this.find(method, target)
    if (found === null) return this.#faultOfStranger(answer)
    const { path, operation } = found
    const place = `${method.toLowerCase()} ${path} ${answer.status}`
    const given = operation.responses[answer.status]
    if (given === undefined) return `${place} is not described: ${answer.bytes.toString().slice(0, 300)}`
    const described = dereferenced<ApiAnswer>(this.#document, given)
    const fault = headerFault(described, answer) ?? this.#bodyFault(method, given, described, answer)
    return fault === null ? null : `${place}: ${fault}`
  }

  /** No operation: a problem, as any. */
  #faultOfStranger({ status, headers, bytes }: HeldAnswer): string | null {
    if (status < 400) return null
    if (!headers.get('content-type')?.startsWith(PROBLEM)) return `${status} is no problem`
    return bytes.length === 0 ? null : this.#check('#/components/schemas/Problem', bytes)
  }

  #bodyFault(
    method: string,
    given: object,
    { content }: ApiAnswer,
    { headers, bytes }: HeldAnswer,
  ): string | null {
    const type = headers.get('content-type')?.split(';')[0]?.trim().toLowerCase()
    if (content === undefined)
      return bytes.length === 0 ? null : `a body where none is described: ${bytes.toString().slice(0, 100)}`
    if (type === undefined || content[type] === undefined)
      return `the type ${type} is not among ${Object.keys(content).join(', ')}`
    if (method === 'HEAD' || !type.endsWith('json') || type === 'application/x-ndjson') return null
    const place = pointerTo(this.#document, given)
    return this.#check(`${place}/content/${escaped(type)}/schema`, bytes)
  }

  #check(pointer: string, bytes: Buffer): string | null {
    let validate = this.#checks.get(pointer)
    if (validate === undefined) {
      validate = this.#ajv.compile({ $ref: `api${pointer}` })
      this.#checks.set(pointer, validate)
    }
    let value: unknown
    try {
      value = JSON.parse(bytes.toString('utf8'))
    } catch {
      return `no JSON: ${bytes.toString().slice(0, 100)}`
    }
    if (validate(value)) return null
    return `${this.#ajv.errorsText(validate.errors)}: ${bytes.toString().slice(0, 300)}`
  }
}

let made: Promise<DescribedAnswers> | undefined

/** Of the document that the sources make. */
export function describedAnswers(): Promise<DescribedAnswers> {
  made ??= apiDocument().then(document => new DescribedAnswers(document))
  return made
}

function headerFault({ headers: described = {} }: ApiAnswer, { headers }: HeldAnswer): string | null {
  const known = new Map(Object.entries(described).map(([name, header]) => [name.toLowerCase(), header]))
  for (const name of headers.keys())
    if (!OF_HTTP.test(name) && !known.has(name)) return `the header ${name} is not described`
  for (const [name, { required, schema }] of known) {
    const value = headers.get(name)
    if (value === undefined && required === true) return `the header ${name} is missing`
    if (value !== undefined && !fits(schema, value)) return `the header ${name} has the value ${value}`
  }
  return null
}

function fits(schema: ApiAnswerHeaderSchema, text: string): boolean {
  const { type, enum: words } = schema
  if (words !== undefined && !words.includes(text)) return false
  if (type === 'integer') return /^\d+$/.test(text)
  return type !== 'boolean' || text === 'true' || text === 'false'
}

type ApiAnswerHeaderSchema = { readonly type?: string; readonly enum?: readonly unknown[] }

/** Where an object stands in the document: an answer by its reference, or by its place. */
function pointerTo(document: ApiDocument, given: object): string {
  if ('$ref' in given && typeof given.$ref === 'string') return given.$ref
  for (const [path, operations] of Object.entries(document.paths))
    for (const [method, { responses }] of Object.entries(operations))
      for (const [status, response] of Object.entries(responses))
        if (response === given) return `#/paths/${escaped(path)}/${method}/responses/${status}`
  throw new Error('the answer is not of this document')
}

function escaped(step: string): string {
  return encodeURIComponent(step.replaceAll('~', '~0').replaceAll('/', '~1'))
}
