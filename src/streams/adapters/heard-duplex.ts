/**
 * A Duplex that is told when somebody begins or ceases to listen to it. Node's own `newListener` and `removeListener`
 * events would tell as much, but a program that removes all listeners would remove those too.
 */
import { Duplex } from 'node:stream'

/** All ways by which listeners come and go; `once` and `prependOnceListener` go through these. */
const CHANGES = [
  'on',
  'addListener',
  'prependListener',
  'removeListener',
  'off',
  'removeAllListeners',
] as const

type Change = (...values: unknown[]) => unknown

export abstract class HeardDuplex extends Duplex {
  static {
    // Not by `override`: the types of the inherited methods, one overload for each event, are to stay.
    for (const name of CHANGES) {
      const inherited = Duplex.prototype[name] as Change
      const value = function (this: HeardDuplex, ...values: unknown[]): HeardDuplex {
        inherited.apply(this, values)
        this.listenersChanged(values[0])
        return this
      }
      Object.defineProperty(HeardDuplex.prototype, name, { value, writable: true, configurable: true })
    }
  }

  /** The listeners of the event are others now; undefined: those of every event. */
  protected abstract listenersChanged(event: unknown): void
}
