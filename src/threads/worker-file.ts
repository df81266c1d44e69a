/**
 * Where a thread's entry file lies. From source the entries stand in workers/ and end in `.ts`, which Node runs as
 * they are; in the bundle everything lies flat in dist/, so an entry is a sibling of the chunk this code is in.
 * The ending of this very file tells which of the two it is.
 */

export type WorkerName = 'io-worker' | 'parse-worker' | 'demo-worker' | 'http-worker'

/**
 * The URL of a thread's entry.
 *
 * `self` is the module that asks; default: this file. Only tests give another.
 */
export function workerFile(name: WorkerName, self: string = import.meta.url): URL {
  return self.endsWith('.ts') ? new URL(`../../workers/${name}.ts`, self) : new URL(`./${name}.js`, self)
}
