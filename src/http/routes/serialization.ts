/**
 * How answers become text by their schemas. The text's writer is made when an answer first asks for it: to make those of all
 * routes takes longer than to load all else that serves HTTP, and most are never asked for before the next start.
 */
import { createRequire } from 'node:module'
import type { FastifySerializerCompiler, FastifyServerOptions } from 'fastify'
import { compileValidator } from './validation.ts'

type Selector = typeof import('@fastify/fast-json-stringify-compiler')
type Factory = ReturnType<Selector['SerializerSelector']>
type Compiler = FastifySerializerCompiler<unknown>

const require = createRequire(import.meta.url)
let factory: Factory | null = null

/** Loaded with the first answer that needs it. */
function ownFactory(): Factory {
  factory ??= (require('@fastify/fast-json-stringify-compiler') as Selector).SerializerSelector()
  return factory
}

/** As Fastify's own, but for the time at which a writer is made. */
function lazySerializers(...given: Parameters<Factory>): Compiler {
  return route => {
    let write: ReturnType<Compiler> | null = null
    return data => {
      write ??= (ownFactory()(...given) as unknown as Compiler)(route)
      return write(data)
    }
  }
}

type Compilers = NonNullable<NonNullable<FastifyServerOptions['schemaController']>['compilersFactory']>

/** In place of those that Fastify would load at the start. */
export const COMPILERS: Compilers = {
  // Its type knows the compilers of Ajv alone.
  buildValidator: (() => compileValidator) as unknown as NonNullable<Compilers['buildValidator']>,
  buildSerializer: lazySerializers as unknown as NonNullable<Compilers['buildSerializer']>,
}
