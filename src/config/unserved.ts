/**
 * What a configuration may say and this version does not act on yet. It is accepted, so that one file serves all
 * versions; but whoever relies on it must hear that it does nothing.
 */
import type { Config } from './config.ts'

export type Unserved = { readonly path: string; readonly message: string }

const NOTHING = 'is accepted, but nothing acts on it yet'

/** The keys that were set to more than their defaults. */
export function unservedKeys({ parse }: Config): Unserved[] {
  const found: Unserved[] = []
  const tell = (isSet: boolean, path: string): void => {
    if (isSet) found.push({ path, message: `${path} ${NOTHING}` })
  }
  tell(parse.isolation !== 'auto', 'parse.isolation')
  return found
}
