/** What is left of a service that cannot start, once more than its configuration was there already. */
import { expect, onTestFinished, test } from 'vitest'
import { watchLeaks } from '../support/leak-watch.ts'
import { OwnRedis } from '../support/own-redis.ts'
import { startServiceFixture } from '../support/service-fixture.ts'

test('a start that the rules refuse leaves neither the engine of its fleet nor its demo behind', async ({
  skip,
}) => {
  const redis = await OwnRedis.start(skip)
  watchLeaks()
  const start = startServiceFixture({
    demo: true,
    config: {
      egress: { allow: ['10.0.0.0/99'] },
      fleet: { url: redis.url, name: 'refused', advertise: 'http://127.0.0.1:7070' },
    },
    finally: onTestFinished,
  })
  await expect(start).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
})
