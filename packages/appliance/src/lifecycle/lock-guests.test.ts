import { expect, it } from 'vitest'
import { asGuest, withGuests } from './lock-guests.ts'

it('a guest works only while there is a host, and the host waits for it', async () => {
  expect(asGuest('/state', async () => 1)).toBeUndefined()
  const order: string[] = []
  let letGo = () => {}
  const held = new Promise<void>((resolve) => {
    letGo = resolve
  })
  const host = withGuests('/state', async () => {
    void asGuest('/state', async () => {
      await held
      order.push('guest')
    })
    expect(asGuest('/other', async () => 1)).toBeUndefined()
  }).then(() => order.push('host'))
  await Promise.resolve()
  expect(
    asGuest('/state', async () => 1),
    'no guest comes when the host leaves',
  ).toBeUndefined()
  letGo()
  await host
  expect(order).toEqual(['guest', 'host'])
})

it('a guest is told what to leave alone, by the nearest host that says so', async () => {
  const spared = () => asGuest('/state', async (app) => app)
  await withGuests('/state', async () => {
    expect(await spared()).toBeUndefined()
    await withGuests(
      '/state',
      async () => {
        expect(await spared()).toBe('shop')
        await withGuests('/state', async () => expect(await spared()).toBe('shop'))
      },
      'shop',
    )
    expect(await spared(), 'the outer host is there again').toBeUndefined()
  })
  expect(spared()).toBeUndefined()
})
