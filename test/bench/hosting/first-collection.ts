/** Loaded before a program whose garbage is counted: the first collection that is traced is its main thread's. */
globalThis.gc?.()
