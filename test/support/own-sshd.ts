/** An SSH server of the test's own, with keys that nobody else has; it runs as who runs the test. */
import { execFile } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { onTestFinished } from 'vitest'
import { requireProgram, startProgramOn } from './own-program.ts'
import type { Place } from './services.ts'

const run = promisify(execFile)

export type OwnSshd = Place & {
  /** The file of the one key that it lets in. */
  readonly key: string
  readonly user: string
}

export async function startSshd(skip: (note: string) => never): Promise<OwnSshd> {
  const keygen = await requireProgram('ssh-keygen', 'openssh-client', skip)
  const sshd = await requireProgram('/usr/sbin/sshd', 'openssh-server', skip)
  // Where it is run by root it wants this folder, which its own service would make.
  if (process.getuid?.() === 0) await mkdir('/run/sshd', { recursive: true })
  const own = await mkdtemp(join(tmpdir(), 'sockpool-ssh-'))
  onTestFinished(() => rm(own, { recursive: true }))
  const [hostKey, key] = [join(own, 'host'), join(own, 'client')]
  for (const file of [hostKey, key]) await run(keygen, ['-q', '-t', 'ed25519', '-N', '', '-f', file])
  const authorized = join(own, 'authorized')
  await writeFile(authorized, await readFile(`${key}.pub`), { mode: 0o600 })
  await chmod(own, 0o700)
  const user = userInfo().username
  const settings = {
    HostKey: hostKey,
    AuthorizedKeysFile: authorized,
    PidFile: 'none',
    UsePAM: 'no',
    StrictModes: 'no',
    PasswordAuthentication: 'no',
    AllowUsers: user,
    ListenAddress: '127.0.0.1',
  }
  const options = Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`])
  const args = (port: number): string[] => ['-D', '-e', '-f', '/dev/null', '-p', `${port}`, ...options]
  const place = await startProgramOn({ command: sshd, args, from: 'openssh-server' }, skip)
  return { ...place, key, user }
}
