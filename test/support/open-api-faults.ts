/**
 * What is wrong with an OpenAPI 3.1 document, as its specification has it: the fields that must be there, path
 * parameters that match their template, parameters that are told apart, references that lead somewhere, and
 * schemas that are JSON Schema 2020-12 rather than the dialect of OpenAPI 3.0.
 */
/** Fields that are looked at, of whatever object; a field that is not there is undefined. */
type Known =
  | 'openapi'
  | 'info'
  | 'paths'
  | 'parameters'
  | 'requestBody'
  | 'responses'
  | 'description'
  | 'content'
  | 'type'
  | 'enum'
  | 'required'
  | 'properties'
  | 'name'
  | 'in'
  | 'schema'
  | 'operationId'
type Json = { readonly [field in Known]?: unknown } & Readonly<Record<string, unknown>>

const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace']
const PLACES = ['query', 'header', 'path', 'cookie']
const TYPES = ['null', 'boolean', 'object', 'array', 'number', 'string', 'integer']
const STATUS = /^([1-5]\d\d|[1-5]XX|default)$/

/** One line for each fault, with its place; empty for a valid document. */
export function openApiFaults(document: Json): readonly string[] {
  const faults: string[] = []
  const report = (place: string, fault: string): void => void faults.push(`${place}: ${fault}`)
  if (!/^3\.1\.\d+$/.test(String(document.openapi))) report('openapi', 'is not 3.1.x')
  const info = objectAt(document.info)
  for (const field of ['title', 'version'])
    if (typeof info?.[field] !== 'string') report(`info.${field}`, 'is missing')
  const operationIds = new Set<unknown>()
  for (const [path, item] of Object.entries(objectAt(document.paths) ?? {})) {
    if (!path.startsWith('/')) report(path, 'does not begin with a slash')
    for (const [method, operation] of Object.entries(objectAt(item) ?? {})) {
      const place = `${method} ${path}`
      if (!METHODS.includes(method)) report(place, 'is no method')
      const checked = objectAt(operation)
      if (!checked) report(place, 'is no object')
      else checkOperation(place, path, checked, report)
      const { operationId } = checked ?? {}
      if (operationId !== undefined && operationIds.has(operationId)) report(place, 'repeats an operationId')
      operationIds.add(operationId)
    }
  }
  checkReferences(document, document, '#', report)
  return faults
}

type Report = (place: string, fault: string) => void

function checkOperation(place: string, path: string, operation: Json, report: Report): void {
  const parameters = Array.isArray(operation.parameters) ? operation.parameters : []
  const named = new Set<string>()
  for (const parameter of parameters.map(objectAt)) {
    const { name, in: where, schema, required } = parameter ?? {}
    const at = `${place} parameter ${String(name)}`
    if (typeof name !== 'string' || !PLACES.includes(String(where))) report(at, 'has no name or place')
    if (named.has(`${where} ${name}`)) report(at, 'stands there twice')
    named.add(`${where} ${name}`)
    if (where === 'path' && required !== true) report(at, 'is in the path and not required')
    if (where === 'path' && !path.includes(`{${name}}`)) report(at, 'is not in the path')
    if (schema === undefined) report(at, 'has no schema')
    else checkSchema(at, schema, report)
  }
  for (const [, name] of path.matchAll(/\{([^}]+)\}/g))
    if (!named.has(`path ${name}`)) report(place, `does not describe {${name}}`)
  const body = objectAt(operation.requestBody)
  if (body) checkContent(`${place} body`, body, report)
  const responses = Object.entries(objectAt(operation.responses) ?? {})
  if (responses.length === 0) report(place, 'has no responses')
  for (const [status, response] of responses) {
    const at = `${place} ${status}`
    if (!STATUS.test(status)) report(at, 'is no status')
    const described = objectAt(response)
    if (typeof described?.description !== 'string') report(at, 'has no description')
    if (described?.content !== undefined) checkContent(at, described, report)
  }
}

function checkContent(place: string, { content }: Json, report: Report): void {
  const types = Object.entries(objectAt(content) ?? {})
  if (types.length === 0) report(place, 'has no content')
  for (const [type, media] of types) {
    if (!/^[\w.+*-]+\/[\w.+*-]+$/.test(type)) report(`${place} ${type}`, 'is no media type')
    const { schema } = objectAt(media) ?? {}
    if (schema !== undefined) checkSchema(`${place} ${type}`, schema, report)
  }
}

/** A schema and all that are in it. */
function checkSchema(place: string, schema: unknown, report: Report): void {
  if (typeof schema === 'boolean') return
  const own = objectAt(schema)
  if (!own) return report(place, 'is no schema')
  if ('nullable' in own) report(place, 'says nullable, which 3.1 has no more')
  for (const bound of ['exclusiveMinimum', 'exclusiveMaximum'])
    if (bound in own && typeof own[bound] !== 'number') report(place, `${bound} is no number`)
  const types = [own.type ?? []].flat()
  for (const type of types) if (!TYPES.includes(String(type))) report(place, `${String(type)} is no type`)
  if ('enum' in own && !Array.isArray(own.enum)) report(place, 'enum is no list')
  const { required = [] } = own
  if (!Array.isArray(required) || required.some(name => typeof name !== 'string'))
    report(place, 'required is no list of names')
  for (const [name, property] of Object.entries(objectAt(own.properties) ?? {}))
    checkSchema(`${place}.${name}`, property, report)
  for (const keyword of ['items', 'additionalProperties', 'not'])
    if (own[keyword] !== undefined) checkSchema(`${place}.${keyword}`, own[keyword], report)
  for (const keyword of ['anyOf', 'oneOf', 'allOf']) {
    const branches = own[keyword]
    if (branches === undefined) continue
    if (!Array.isArray(branches) || branches.length === 0) report(place, `${keyword} is no list`)
    else
      for (const [index, branch] of branches.entries())
        checkSchema(`${place}.${keyword}.${index}`, branch, report)
  }
}

function checkReferences(document: Json, value: unknown, place: string, report: Report): void {
  if (typeof value !== 'object' || value === null) return
  for (const [name, own] of Object.entries(value)) {
    if (name === '$ref' && typeof own === 'string' && !leadsSomewhere(document, own))
      report(place, `${own} leads nowhere`)
    checkReferences(document, own, `${place}/${name}`, report)
  }
}

function leadsSomewhere(document: Json, reference: string): boolean {
  if (!reference.startsWith('#/')) return false
  let value: unknown = document
  for (const step of reference.slice(2).split('/'))
    value = objectAt(value)?.[step.replaceAll('~1', '/').replaceAll('~0', '~')]
  return value !== undefined
}

function objectAt(value: unknown): Json | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined
}
