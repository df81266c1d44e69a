/** Servers that do not run as root run as somebody else, who owns what they write. */
import { execFile } from 'node:child_process'
import { chown } from 'node:fs/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)

export type OwnUser = { readonly uid?: number; readonly gid?: number }

/** Who is to run the server and has the folder now: that user where root runs the test, else who runs it. */
export async function handFolderTo(
  user: string,
  folder: string,
): Promise<OwnUser & { readonly gid: number }> {
  if (process.getuid?.() !== 0) return { gid: process.getgid?.() ?? 0 }
  const [uid, gid] = await Promise.all(
    ['-u', '-g'].map(async flag => Number((await run('id', [flag, user])).stdout)),
  )
  if (uid === undefined || gid === undefined) throw new Error(`nobody is called ${user} here`)
  await chown(folder, uid, gid)
  return { uid, gid }
}
