/** What the streams take for granted of Node, in the client's build for browsers: its own where there is one. */
import { BufferStandIn } from './bytes.ts'

type Own = { readonly Buffer?: unknown; readonly setImmediate?: unknown }

const own: Own = globalThis

// As the build puts them in the place of the globals they have the globals' names.
const bytes: unknown = own.Buffer ?? BufferStandIn
const turn: unknown = own.setImmediate ?? ((run: () => void) => setTimeout(run, 0))

export { bytes as Buffer, turn as setImmediate }
