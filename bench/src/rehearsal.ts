import { createAppliance, stepTimes } from './appliance.ts'
import { fillReadings, guestbookSource } from './guestbook-source.ts'
import { loadAt } from './load.ts'
import type { Row } from './rows.ts'
import { longestSilence } from './silence.ts'

/** Enough for a migration of about ten seconds where nothing else runs. */
const ROWS = 2_500_000
const RATE = 50
/** Shorter than the rehearsal. */
const SECONDS = 15
/** How far the time that a rehearsal tells may be from the real one, in % of the real one. */
const GOAL_PERCENT = 30
/** How much longer the slowest visitors may wait while it rehearses, in %. */
const GOAL_P99_PERCENT = 20

/** The time that a rehearsal tells beside the time that the update takes then, and what visitors notice of both. */
export async function rehearsal(): Promise<readonly Row[]> {
  await using appliance = await createAppliance()
  const { state, httpsPort } = appliance
  await using source = await guestbookSource()
  await appliance.run('app', 'add', 'guestbook', source.folder, '--host', 'localhost')
  await appliance.run('app', 'exec', 'guestbook', '--', 'node', ...fillReadings(ROWS))
  await source.putSecond()

  const visit = () => loadAt(`https://127.0.0.1:${httpsPort}/`, 'localhost', RATE, SECONDS)
  const before = await visit()
  const [busy, told] = await Promise.all([
    visit(),
    appliance.run('app', 'rehearse', 'guestbook', '--watch', '1s', '--allow-outside', '--json'),
  ])
  const { migration_ms: rehearsedMs, duration_ms } = (JSON.parse(told) as Told).rehearsal
  // What was written before goes to disk by and by: the better one counts.
  const after = await visit()
  const quiet = after.p99 < before.p99 ? after : before
  const longestMs = await longestSilence(httpsPort, appliance.run('app', 'update', 'guestbook'))
  const realMs = (await stepTimes(state)).find(([step]) => step === 'guestbook/data.migrate')?.[1] ?? 0
  const off = (100 * Math.abs(rehearsedMs - realMs)) / realMs
  const more = (100 * Math.max(0, busy.p99 - quiet.p99)) / quiet.p99
  return [
    {
      what: `migration of ${ROWS / 1e6} million rows, as rehearsed`,
      value: rehearsedMs,
      unit: 'ms',
      beside: { what: 'in the update', value: realMs },
    },
    { what: '… the rehearsed time is off by', value: off, unit: '%', goal: GOAL_PERCENT },
    { what: 'the whole rehearsal', value: duration_ms, unit: 'ms' },
    {
      what: 'longest time without an answer during the update',
      value: longestMs,
      unit: 'ms',
      beside: { what: 'its migration', value: realMs },
    },
    {
      what: `p50 at ${RATE} requests/s, rehearsing`,
      value: busy.p50,
      unit: 'ms',
      beside: { what: 'not rehearsing', value: quiet.p50 },
    },
    {
      what: `p99 at ${RATE} requests/s, rehearsing`,
      value: busy.p99,
      unit: 'ms',
      beside: { what: 'not rehearsing', value: quiet.p99 },
    },
    { what: '… the p99 rises by', value: more, unit: '%', goal: GOAL_P99_PERCENT },
  ]
}

interface Told {
  readonly rehearsal: { readonly migration_ms: number; readonly duration_ms: number }
}
