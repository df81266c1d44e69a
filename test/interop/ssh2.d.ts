/** What the tests use of ssh2, which comes without types of its own. */
declare module 'ssh2' {
  import type { EventEmitter } from 'node:events'
  import type { Duplex } from 'node:stream'

  namespace ssh2 {
    type Channel = Duplex & { exit(code: number): void }

    type Session = EventEmitter & {
      on(
        event: 'exec',
        listener: (accept: () => Channel, reject: () => void, info: { readonly command: string }) => void,
      ): Session
    }

    type Peer = {
      on(event: 'error', listener: (error: Error) => void): Peer
      on(event: 'authentication', listener: (context: { accept(): void }) => void): Peer
      on(event: 'session', listener: (accept: () => Session) => void): Peer
      end(): void
    }

    class Client extends EventEmitter {
      connect(options: { readonly sock: Duplex; readonly username: string; readonly password: string }): void
      exec(command: string, callback: (error: Error | undefined, channel: Channel) => void): void
      end(): void
    }

    class Server extends EventEmitter {
      constructor(options: { readonly hostKeys: readonly string[] }, onClient: (client: Peer) => void)
      listen(port: number, host: string): void
      address(): { readonly port: number }
      close(): void
    }

    const utils: {
      generateKeyPairSync(type: 'ed25519'): { readonly private: string }
      parseKey(key: string): object
    }
  }

  export = ssh2
}
