/**
 * A root as the image's: a folder with Node, the libraries that Node asks for, the package with its dependencies, and
 * nothing besides; not even a shell. What runs in there runs as the image's user and finds everything read-only but /tmp.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { chmod, copyFile, cp, mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Image } from './dockerfile.ts'
import { ROOT, runCommand } from './service-process.ts'

const LAY_OUT_TIMEOUT_MS = 120_000

/** As root of namespaces of its own: mounts what a container has besides its files, then becomes the user in that root. */
const ENTER = `
set -e
root=$1 user=$2
shift 2
mount --bind "$root" "$root"
mount --rbind /proc "$root/proc"
mount -t tmpfs -o size=16m,mode=1777 tmp "$root/tmp"
mount -o remount,bind,ro "$root"
exec setpriv --no-new-privs chroot --userspec="$user" --groups= "$root" "$@"
`

export type BareRoot = {
  /** Starts a program of the root, with the image's variables and these. */
  start(command: readonly string[], env?: Readonly<Record<string, string>>): ChildProcess
}

/** Why no such root can be entered here, or null. */
export async function whyNoRoot(): Promise<string | null> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'it takes root, on Linux'
  const { code, stderr } = await runCommand([
    'unshare',
    '--mount',
    'sh',
    '-c',
    'command -v setpriv chroot mount',
  ])
  return code === 0 ? null : `it takes unshare and setpriv (util-linux) that may make namespaces: ${stderr}`
}

/** Lays out the root in the folder. `config`: the text of /etc/sockpool/config.yaml; `packages`: what is to stand beside. */
export async function layOutRoot(
  folder: string,
  tarball: string,
  { image, config, packages }: { readonly image: Image; readonly config: string; readonly packages: string },
): Promise<BareRoot> {
  for (const name of ['proc', 'tmp', 'etc/sockpool', 'nodejs/bin'])
    await mkdir(join(folder, name), { recursive: true })
  const layOut = join(ROOT, 'deploy', 'docker', 'lay-out.sh')
  const { code, stderr } = await runCommand([layOut, join(folder, 'app'), tarball], {
    env: { PACKAGES: packages },
    timeoutMs: LAY_OUT_TIMEOUT_MS,
  })
  if (code !== 0) throw new Error(`lay-out.sh ended with ${code}: ${stderr}`)
  await copyNode(folder)
  // A folder for temporary files is its maker's alone.
  await chmod(folder, 0o755)
  await writeFile(join(folder, 'etc/sockpool/config.yaml'), config, { mode: 0o644 })
  return {
    start: (command, env = {}) =>
      spawn('unshare', ['--mount', 'sh', '-c', ENTER, 'sh', folder, image.user, ...command], {
        env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', ...image.env, ...env },
      }),
  }
}

/** Node, and where its loader looks the libraries that it is linked to. */
async function copyNode(folder: string): Promise<void> {
  await cp(process.execPath, join(folder, 'nodejs/bin/node'), { dereference: true })
  const { stdout } = await runCommand(['ldd', process.execPath])
  const libraries = new Set([...stdout.matchAll(/(\/\S+) \(0x/g)].map(([, path = '']) => path))
  for (const library of libraries) {
    await mkdir(join(folder, dirname(library)), { recursive: true })
    await copyFile(library, join(folder, library))
  }
}
