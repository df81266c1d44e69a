/**
 * What the path of a unix socket may be. The system keeps it in a field of fixed size (`sun_path`), closing zero included,
 * and counts bytes: a longer one is cut off or refused where nobody expects it, after a server said that it listens.
 */

/** Bytes of a path: 108 with the closing zero on Linux, 104 on macOS and the BSDs. */
export const UNIX_PATH_BYTES_MAX: number = process.platform === 'linux' ? 107 : 103

/** Why the value is no path of a unix socket, as the end of a sentence that begins with its name; null where it is one. */
export function unixPathFault(path: unknown): string | null {
  if (typeof path !== 'string' || path === '') return 'must be the path of a socket'
  const bytes = Buffer.byteLength(path)
  if (bytes > UNIX_PATH_BYTES_MAX)
    return `is too long: ${bytes} bytes, and the path of a unix socket has at most ${UNIX_PATH_BYTES_MAX} on this system; choose a shorter one`
  if (path.startsWith('\0'))
    return 'must be the path of a file; abstract sockets (with a leading zero) are not served'
  return path.includes('\0') ? 'must be the path of a socket, and no path holds a zero' : null
}
