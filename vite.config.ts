/** Builds the dashboard into the package. Everything that its page loads is a file of its own: the policy lets nothing stand in it. */
import { join } from 'node:path'
import type { UserConfig } from 'vite'

const config: UserConfig = {
  root: join(import.meta.dirname, 'src', 'dashboard'),
  base: '/dashboard/',
  publicDir: false,
  clearScreen: false,
  logLevel: 'warn',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: join(import.meta.dirname, 'dist', 'dashboard'),
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: ['chrome123', 'firefox121', 'safari17.5'],
    license: { fileName: 'assets/licenses.md' },
  },
}

export default config
