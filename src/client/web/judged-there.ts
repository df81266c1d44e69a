/** What stands in for the judges of a pool's bounds in the client's build for browsers: the service judges what it is told. */
import { optionsObject } from '../../base/options.ts'
import type { Resize } from '../../pool/target/resize.ts'

/** Of `pool/target/resize.ts`. Errors: INVALID_REQUEST where it is no object. */
export function judgedResize(changes: Resize): Resize {
  return optionsObject(changes, 'pool')
}
