/** A PostgreSQL of the test's own that speaks TLS, with a cluster in a folder that goes with the test. */
import { execFile } from 'node:child_process'
import { chown, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { onTestFinished } from 'vitest'
import { requireProgram, startProgramOn } from './own-program.ts'
import { handFolderTo } from './own-user.ts'
import type { Place } from './services.ts'
import type { TestCertificate } from './tls-certs.ts'

/** Debian keeps the programs of each version apart. */
const VERSIONS = '/usr/lib/postgresql'
const run = promisify(execFile)

export async function startPostgres(
  { cert, key }: TestCertificate,
  skip: (note: string) => never,
): Promise<Place> {
  const [version = 'none'] = await readdir(VERSIONS).catch(() => [])
  const program = (name: string): Promise<string> =>
    requireProgram(join(VERSIONS, version, 'bin', name), 'postgresql', skip)
  const [initdb, command, isReady] = [
    await program('initdb'),
    await program('postgres'),
    await program('pg_isready'),
  ]
  const folder = await mkdtemp(join(tmpdir(), 'sockpool-postgres-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const owner = await handFolderTo('postgres', folder)
  const data = join(folder, 'data')
  await run(initdb, ['-D', data, '--auth=trust', '--no-sync', '-U', 'postgres'], { ...owner, cwd: '/' })
  for (const [name, text] of Object.entries({ 'server.crt': cert, 'server.key': key })) {
    const file = join(data, name)
    await writeFile(file, text, { mode: 0o600 })
    if (owner.uid !== undefined) await chown(file, owner.uid, owner.gid)
  }
  const settings = ['ssl=on', 'listen_addresses=127.0.0.1', `unix_socket_directories=${folder}`, 'fsync=off']
  const set = settings.flatMap(setting => ['-c', setting])
  const args = (port: number): string[] => ['-D', data, '-p', `${port}`, ...set]
  const place = await startProgramOn({ command, args, from: 'postgresql', owner }, skip)
  // It accepts before it lets anybody in.
  while (!(await succeeds(isReady, ['-h', place.host, '-p', `${place.port}`])));
  return place
}

async function succeeds(program: string, args: readonly string[]): Promise<boolean> {
  return await run(program, args).then(
    () => true,
    () => false,
  )
}
