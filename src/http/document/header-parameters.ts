/** Headers of requests that no route's schema has: those that bear on the form of any answer, or on nothing. */
import type { ApiAnswer, ApiHeader, ApiParameter } from './api-shapes.ts'

export const TRACE_PARAMETER: ApiParameter = {
  name: 'traceparent',
  in: 'header',
  required: false,
  description: 'W3C trace context: the trace that log lines name, and that spans of the call are a part of.',
  schema: { type: 'string' },
  example: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
}

/** Which of its forms an answer has. */
export function acceptParameter(types: readonly string[]): ApiParameter {
  const [first = ''] = types
  return {
    name: 'Accept',
    in: 'header',
    required: false,
    description: `The form of the answer: ${types.join(' or ')}. Where none of them fits, the first.`,
    schema: { type: 'string' },
    example: first,
  }
}

/** By which instance of a fleet a call is answered. */
export const REDIRECT_PARAMETER: ApiParameter = {
  name: 'Sockpool-Redirect',
  in: 'header',
  required: false,
  description:
    'In a fleet: `1` has a call for what another instance holds answered 307 with its place, instead of passed on to it.',
  schema: { type: 'string', enum: ['1'] },
  example: '1',
}

export const REDIRECT_ANSWER: ApiAnswer = {
  description: 'Another instance holds it, and `Sockpool-Redirect: 1` asked for its place.',
  headers: {
    Location: {
      description: 'The same call at that instance.',
      required: true,
      schema: { type: 'string' },
      example: 'http://10.1.2.3:7070/v1/leases/mQ3vZt8KcY1xW5bJ0nRfLs7dHgPaEuT2oVi9yNkXqBw',
    },
  },
}

/** The header that goes with it: a cache must not give one form for the other. */
export const VARY_HEADER: ApiHeader = {
  description: 'The form depends on the Accept header.',
  required: true,
  schema: { type: 'string' },
  example: 'accept',
}

/** A header as people write it: Fastify knows it in lower case. */
export function canonicalName(name: string): string {
  if (name.startsWith('sockpool-')) return name
  return name
    .split('-')
    .map(word => (word === 'id' ? 'ID' : `${word.slice(0, 1).toUpperCase()}${word.slice(1)}`))
    .join('-')
}
