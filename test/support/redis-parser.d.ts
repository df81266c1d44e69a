declare module 'redis-parser' {
  type Replies = {
    readonly returnReply: (reply: unknown) => void
    readonly returnError: (error: Error) => void
  }
  class RedisParser {
    constructor(replies: Replies)
    execute(bytes: Buffer): void
  }
  export = RedisParser
}
