#!/usr/bin/env node
/**
 * The entry of the command `sockpool`. It does one thing before the rest is loaded: on a Node that cannot run the rest
 * it says which one can. So everything else comes by a dynamic import, and this file and what it
 * imports keep to syntax that Node 20 can parse.
 */
import { readFileSync } from 'node:fs'
import { keepCompiledCode } from './command/compiled-code.ts'
import { supportsNode } from './command/node-version.ts'

type Package = { readonly version: string; readonly engines: { readonly node: string } }

// By default this signal opens a debugger on a port of this machine, to every user of it. A handler takes its place
// before anything else is loaded.
process.on('SIGUSR1', () => {})

// The same relative place from src/ and from dist/.
const manifest: Package = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
if (supportsNode(process.versions.node, manifest.engines.node)) {
  keepCompiledCode()
  const { run } = await import('./command/command.ts')
  process.exitCode = await run(process.argv.slice(2), manifest.version)
} else {
  process.stderr.write(
    `sockpool ${manifest.version} needs Node ${manifest.engines.node}; this is Node ${process.versions.node}.\n` +
      'Install one of these versions (https://nodejs.org/en/download) and run the command again.\n',
  )
  process.exitCode = 2
}
