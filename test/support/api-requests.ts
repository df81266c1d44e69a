/**
 * Valid requests of every operation of an OpenAPI document, made from its own examples: each form of the body, each form of
 * the answer, each parameter of the query by itself and all of them together.
 */
import { exampleOf } from '../../src/http/document/example-of.ts'
import type { ApiDocument, ApiMedia, ApiOperation, ApiParameter } from './api-document.ts'

export type ApiRequest = {
  readonly title: string
  readonly operation: ApiOperation
  readonly method: string
  /** With its parameters still in braces. */
  readonly template: string
  readonly query: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | null
}

/** Milliseconds that a request may wait, so that a walk does not. */
const WAIT_MS = 600

export function validRequests(document: ApiDocument): readonly ApiRequest[] {
  return Object.entries(document.paths).flatMap(([template, item]) =>
    Object.entries(item).flatMap(([method, operation]) =>
      requestsOf({ method: method.toUpperCase(), template, operation }),
    ),
  )
}

type Place = Pick<ApiRequest, 'method' | 'template' | 'operation'>

function requestsOf(place: Place): readonly ApiRequest[] {
  const { parameters = [], requestBody } = place.operation
  const bodies = Object.entries(requestBody?.content ?? { '': {} })
  const forms = formsOf(place.operation)
  return bodies.flatMap(([type, media]) => {
    // What a body of JSON says, the query must not say again.
    const mayAsk = parameters.filter(
      ({ in: where, name }) => where === 'query' && !(type === 'application/json' && saysIn(media, name)),
    )
    return forms.flatMap(accept =>
      queriesOf(mayAsk).map(({ title, query }): ApiRequest => {
        const headers = {
          ...(type !== '' && { 'content-type': type }),
          ...(accept !== null && { accept }),
        }
        const shown = [type, title, accept ?? ''].filter(text => text !== '').join(' ')
        return {
          ...place,
          title: `${place.method} ${place.template} ${shown}`,
          query,
          headers,
          body: bodyOf(type, media),
        }
      }),
    )
  })
}

function saysIn({ schema }: ApiMedia, name: string): boolean {
  return Object.hasOwn(schema?.properties ?? {}, name)
}

function bodyOf(type: string, { example }: ApiMedia): string | null {
  if (type === '') return null
  return typeof example === 'string' ? example : JSON.stringify(example)
}

/** The media types of the answer that Accept chooses from; null where there is nothing to choose. */
function formsOf({ responses }: ApiOperation): readonly (string | null)[] {
  const success = Object.entries(responses).find(([status]) => status.startsWith('2'))?.[1]
  const types = success !== undefined && 'content' in success ? Object.keys(success.content ?? {}) : []
  return types.length > 1 ? types : [null]
}

function queriesOf(parameters: readonly ApiParameter[]): readonly { title: string; query: string }[] {
  const required = parameters.filter(parameter => parameter.required === true)
  const optional = parameters.filter(parameter => parameter.required !== true)
  const wait = parameters.filter(({ name }) => name === 'timeoutMs')
  const sets = [
    { title: '', chosen: [...required, ...wait] },
    ...optional.map(each => ({ title: `?${each.name}`, chosen: [...new Set([...required, ...wait, each])] })),
    ...(optional.length > 1 ? [{ title: '?*', chosen: parameters }] : []),
  ]
  return sets.map(({ title, chosen }) => ({ title, query: chosen.map(textOf).join('&') }))
}

function textOf({ name, schema, example }: ApiParameter): string {
  const value = name === 'timeoutMs' ? WAIT_MS : (example ?? exampleOf(schema) ?? '')
  return [value]
    .flat()
    .map(each => `${name}=${encodeURIComponent(String(each))}`)
    .join('&')
}
