/**
 * How answers become text by their schemas. The text's writer is made when an answer first asks for it: to make those of all
 * routes takes longer than to load all else that serves HTTP, and most are never asked for before the next start. What makes
 * them is loaded at the start all the same: later there may be no descriptor left for its files.
 */
import { SerializerSelector } from '@fastify/fast-json-stringify-compiler'
import type { FastifySerializerCompiler, FastifyServerOptions } from 'fastify'
import { compileValidator } from './validation.ts'

type Factory = ReturnType<typeof SerializerSelector>
type Compiler = FastifySerializerCompiler<unknown>

const ownFactory: Factory = SerializerSelector()

/** As Fastify's own, but for the time at which a writer is made. */
function lazySerializers(...given: Parameters<Factory>): Compiler {
  return route => {
    let write: ReturnType<Compiler> | null = null
    return data => {
      write ??= (ownFactory(...given) as unknown as Compiler)(route)
      return write(data)
    }
  }
}

type Compilers = NonNullable<NonNullable<FastifyServerOptions['schemaController']>['compilersFactory']>

/** In place of Fastify's own. */
export const COMPILERS: Compilers = {
  // Its type knows the compilers of Ajv alone.
  buildValidator: (() => compileValidator) as unknown as NonNullable<Compilers['buildValidator']>,
  buildSerializer: lazySerializers as unknown as NonNullable<Compilers['buildSerializer']>,
}
