/**
 * Where the entries of a pool's threads lie: beside the module that runs, unless the program says otherwise. A program
 * that was bundled into one file has to carry them along, and hears of it here rather than from a thread that never starts.
 */
import { existsSync } from 'node:fs'
import { isAbsolute } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { SockpoolError } from '../base/errors.ts'
import { type WorkerName, workerFile } from '../threads/worker-file.ts'

/** A `file:` URL, as a URL or as text, or an absolute path. */
export type WorkerFileInput = URL | string

/**
 * The file that an option names. `option` is its name for errors.
 *
 * Errors: INVALID_REQUEST where it is no file's name, or no such file is there.
 */
export function chosenWorkerFile(option: string, given: WorkerFileInput): URL {
  const url = fileUrlOf(given)
  if (url === null) throw invalid(option, 'must be a file: URL or an absolute path')
  if (!existsSync(url)) throw invalid(option, `there is no file ${fileURLToPath(url)}`)
  return url
}

/** The file that lies beside the module that runs. Errors: INVALID_REQUEST where it does not. */
export function ownWorkerFile(option: string, name: WorkerName): URL {
  const url = workerFile(name)
  if (existsSync(url)) return url
  const place = fileURLToPath(url)
  throw invalid(
    option,
    `there is no file ${place}: put sockpool/${name} there, or name its file by ${option}`,
  )
}

function fileUrlOf(given: unknown): URL | null {
  if (typeof given === 'string' && isAbsolute(given)) return pathToFileURL(given)
  const text = given instanceof URL ? given.href : given
  if (typeof text !== 'string' || !URL.canParse(text)) return null
  const url = new URL(text)
  return url.protocol === 'file:' && url.host === '' ? url : null
}

function invalid(path: string, message: string): SockpoolError {
  return new SockpoolError('INVALID_REQUEST', `${path}: ${message}`, { errors: [{ path, message }] })
}
