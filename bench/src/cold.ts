import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createAppliance, statusOf, stepTimes } from './appliance.ts'
import { createByHand } from './by-hand.ts'
import { root, until } from './programs.ts'
import type { Row } from './rows.ts'

const SHOWN_STEPS = 6

/**
 * From an empty state folder to 200 over HTTPS, and again after `down`; beside the same pieces started by hand: initdb,
 * Postgres, migrations, server. By hand is without keys, certificates, gateway, worker, smoke test and the installation
 * of the application's dependencies.
 */
export async function cold(): Promise<readonly Row[]> {
  const begun = performance.now()
  await using appliance = await createAppliance()
  const serves = () =>
    until(async () => ((await statusOf(appliance.httpsPort, '/entries.json')) === 200 ? true : undefined))
  await appliance.run('app', 'add', 'guestbook', join(root, 'examples/guestbook'), '--host', 'localhost')
  await serves()
  const first = performance.now() - begun
  const steps = (await stepTimes(appliance.state)).slice(0, SHOWN_STEPS)
  await appliance.run('down')
  const againFrom = performance.now()
  await appliance.run('up')
  await serves()
  const again = performance.now() - againFrom
  const unchangedFrom = performance.now()
  await appliance.run('up')
  const unchanged = performance.now() - unchangedFrom

  const releases = join(appliance.state, 'releases/guestbook')
  const [release] = await readdir(releases)
  await using byHand = await createByHand(join(releases, release ?? '', 'source'))
  const handFirst = await byHand.first()
  const handAgain = await byHand.again()
  return [
    { what: 'from nothing to 200', value: first, unit: 'ms', beside: { what: 'by hand', value: handFirst } },
    ...steps.map(([step, value]): Row => ({ what: `… of it ${step}`, value, unit: 'ms' })),
    { what: 'start again to 200', value: again, unit: 'ms', beside: { what: 'by hand', value: handAgain } },
    { what: 'up when everything is up', value: unchanged, unit: 'ms', goal: 1000 },
  ]
}
