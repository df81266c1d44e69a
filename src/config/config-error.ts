/** Everything that is wrong with a configuration, collected; never only the first fault. */

export type ConfigFault = {
  /** Where: `targets.cache.port`; empty where it is the whole file. */
  readonly path: string
  /** What is wrong, to be read after the path. Never holds a secret's value. */
  readonly message: string
  /** Who said it: a file, a variable (`SOCKPOOL_LISTEN`), a flag (`--listen`); absent in the library. */
  readonly source?: string
}

/** A configuration that cannot be used. `errors` holds every fault, `message` one line for each. */
export class ConfigError extends Error {
  readonly errors: readonly ConfigFault[]

  constructor(errors: readonly ConfigFault[]) {
    super(errors.map(describeFault).join('\n'))
    this.name = 'ConfigError'
    this.errors = errors
  }
}

/** One fault as a line: `FILE: path.to.key: what is wrong`. */
export function describeFault({ source, path, message }: ConfigFault): string {
  return [source ?? '', path, message].filter(part => part !== '').join(': ')
}
