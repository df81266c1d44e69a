/** How the ends of a stream look in a log. */
import { type InspectOptions, inspect } from 'node:util'

/** Has Node's `inspect` show what a class has made by this text. */
export function showAs<T extends object>(
  kind: { readonly prototype: T },
  text: (this: T, depth: number, options: InspectOptions) => string,
): void {
  // A method by that name is more than isolated declarations can say.
  Object.defineProperty(kind.prototype, inspect.custom, { value: text })
}
