import { expect, it } from 'vitest'
import { describeLocks } from './conformance/locks.ts'
import { FakeLocks } from './fake-locks.ts'

describeLocks('fake', async () => ({ locks: new FakeLocks(), folder: '/run' }))

it('fake locks are free when their holders die', async () => {
  const locks = new FakeLocks()
  const old = await locks.tryAcquire('/run/lock')
  locks.holdersDie()
  expect(await locks.tryAcquire('/run/lock')).toBeDefined()
  await old?.release()
  expect(locks.isHeld('/run/lock')).toBe(true)
})
