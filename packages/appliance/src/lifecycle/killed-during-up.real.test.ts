import { readFile } from 'node:fs/promises'
import type { Ports } from '@caretaker/ports/ports.ts'
import { describe, expect, it } from 'vitest'
import type { Appliance } from './appliance.ts'
import { openWithFile } from './open.ts'
import { status } from './status.ts'
import { type Lab, openLab } from './testing/lab.fixture.ts'
import { up } from './up.ts'

const never = new AbortController().signal
const quiet = () => undefined

const bringUp = async (appliance: Appliance, emit: Parameters<typeof up>[2] = quiet) =>
  (await up(appliance, { firstStart: false }, emit, never)).errors

/** Kills every process of a service and waits until none is left. */
async function killAll({ ports }: Lab, appliance: string, isMeant: (service: string) => boolean) {
  const found = await ports.processes.findByLabel(appliance)
  const meant = found.filter(({ label }) => isMeant(label.service))
  await Promise.all(
    meant.map(async ({ identity }) => {
      await ports.processes.signal(identity, 'SIGKILL')
      await ports.processes.waitForExit(identity)
    }),
  )
}

async function expectServing(lab: Lab): Promise<void> {
  const { appliance } = await lab.open()
  expect(await bringUp(appliance)).toEqual([])
  expect((await lab.get('shop')).status).toBe(200)
  expect(await status(appliance, process.pid)).toMatchObject({ state: 'running', parts: [] })
}

describe('Postgres killed', () => {
  it.each(['CREATE ROLE', 'CREATE DATABASE', 'REVOKE ALL'])(
    'in the middle of %s: said as that, and the next start goes on',
    async (statement) => {
      await using lab = await openLab({ shop: { database: true } })
      const { config } = (await lab.open()).appliance
      const { databases } = lab.ports
      const killing: Ports['databases'] = {
        withSession: (address, options, work) =>
          databases.withSession(address, options, (session) =>
            work({
              async query(text, values) {
                const answer = session.query(text, values)
                if (!text.startsWith(statement)) return (await answer) as never
                const [result] = await Promise.allSettled([
                  answer.then(() => session.query('SELECT 1')),
                  killAll(lab, config.id, (service) => service === 'postgres'),
                ])
                // What was answered before the kill came is asked again, by then of nobody.
                return (result.status === 'rejected' ? Promise.reject(result.reason) : []) as never
              },
            }),
          ),
      }
      const around = { ...lab.around, ports: { ...lab.ports, databases: killing } }
      const errors = await bringUp((await openWithFile(around, lab.configFile)).appliance)
      expect(errors).toMatchObject([{ code: 'POSTGRES_UNREACHABLE' }])
      expect(errors[0]?.why).toMatch(/Postgres of shop does not answer or broke off: .+/)
      expect(errors[0]?.next).toContain('"caretaker up"')
      expect(await status((await lab.open()).appliance, process.pid)).toMatchObject({
        parts: [{ part: 'shop', code: 'POSTGRES_UNREACHABLE', step: 'shop/database.create' }],
      })
      await expectServing(lab)
    },
  )

  it('under a migration: that is the reason, with what the migration said', async () => {
    await using lab = await openLab({ shop: { database: true, migrates: true } })
    await lab.apps['shop']?.break('migration-hangs')
    const { appliance } = await lab.open()
    let killed: Promise<void> | undefined
    const errors = await bringUp(appliance, (event) => {
      if (event.type !== 'step-progress' || !event.message.includes('waiting for a lock')) return
      killed ??= killAll(lab, appliance.config.id, (service) => service === 'postgres').then(() =>
        killAll(lab, appliance.config.id, (service) => service.startsWith('run@')),
      )
    })
    await killed
    expect(errors).toMatchObject([{ code: 'POSTGRES_UNREACHABLE' }])
    expect(errors[0]?.why).toMatch(/^its Postgres ended in the middle of it; "node migrate\.mjs" was ended/)
    await lab.apps['shop']?.break('none')
    await expectServing(lab)
  })
})

it('the gateway killed right after its start: said as that', async () => {
  await using lab = await openLab({ shop: {} })
  const { appliance } = await lab.open()
  const { gateway } = appliance
  let kills = 0
  const killed: Appliance = {
    ...appliance,
    gateway: {
      ...gateway,
      async status() {
        const answer = await gateway.status()
        if (answer.https && kills++ === 0)
          await killAll(lab, appliance.config.id, (service) => service === 'gateway')
        return answer
      },
    },
  }
  const errors = await bringUp(killed)
  expect(errors).toMatchObject([{ code: 'GATEWAY_UNREACHABLE', why: expect.stringContaining('ended') }])
  expect(await status(appliance, process.pid)).toMatchObject({
    state: 'failed',
    code: 'GATEWAY_UNREACHABLE',
    step: 'appliance/gateway.start',
  })
  await expectServing(lab)
})

it('at a first start nobody knocks at Postgres who is not known there', async () => {
  await using lab = await openLab({ shop: { database: true } })
  await expectServing(lab)
  const log = await readFile(`${(await lab.open()).appliance.folders.logs}/shop/postgres.log`, 'utf8')
  expect(log).toContain('ready to accept connections')
  expect(log.split('\n').filter((line) => /FATAL|ERROR/.test(line) && !/starting up/.test(line))).toEqual([])
})
