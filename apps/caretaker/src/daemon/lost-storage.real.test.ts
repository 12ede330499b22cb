import { rename } from 'node:fs/promises'
import { type Lab, openLab } from '@caretaker/appliance/lifecycle/testing/lab.fixture.ts'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type KeptLab, keepLab } from './testing/kept-lab.fixture.ts'

let lab: Lab
let kept: KeptLab
beforeAll(async () => {
  lab = await openLab({ shop: { database: true } })
  kept = keepLab(lab)
  await kept.eventually('it is up', async () => (await kept.state()).state === 'running')
})
afterAll(async () => {
  await kept[Symbol.asyncDispose]()
  await lab[Symbol.asyncDispose]()
})

it('a data volume that goes away is told by status at once, nothing is served without it, and all is when it is back', async () => {
  const { data } = (await lab.open()).appliance.folders
  expect((await lab.get('shop', '/first', 'POST')).status).toBe(200)
  await rename(data, `${data}.away`)
  // Whoever looks first: the daemon has seen it, or it is seen just now.
  expect(await kept.state()).toMatchObject({
    code: 'STORAGE_ABSENT',
    exit_code: expect.toSatisfy((code) => code !== 0),
  })
  // Whoever looks now reads why: the page comes before the stop.
  let answer = await lab.get('shop', '/health')
  while (answer.status === 200) answer = await lab.get('shop', '/health')
  expect(answer.status).toBe(503)
  expect(JSON.parse(answer.body)).toMatchObject({ code: 'STORAGE_ABSENT' })
  const lost = { state: 'no-storage', code: 'STORAGE_ABSENT', serving: false }
  await expect.poll(() => kept.state(), { timeout: 60_000, interval: 50 }).toMatchObject(lost)
  await kept.eventually('all has ended', async () =>
    (await (await lab.open()).appliance.runtime.list()).every(({ app }) => app === '-'),
  )
  expect(await lab.ports.files.stat(data)).toBeUndefined()

  await rename(`${data}.away`, data)
  await kept.eventually('it serves', async () => (await lab.get('shop')).body.includes('first'))
  await kept.eventually('all is well', async () => (await kept.state()).state === 'running')
  expect(await kept.told('the data volume has gone')).toBe(1)
  expect(await kept.told('the data volume is back')).toBe(1)
})
