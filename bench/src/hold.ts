import { createByHand } from './by-hand.ts'
import { type Backend, backends, guestbookBed } from './guestbook-bed.ts'
import { fillReadings } from './guestbook-source.ts'
import type { Row } from './rows.ts'
import { longestSilence } from './silence.ts'

/** The long one takes about ten seconds where nothing else runs. */
const MIGRATIONS = [
  { name: 'short', rows: 1000 },
  { name: 'long', rows: 2_500_000 },
] as const
/** Room for the rows, what a migration leaves of them, and as much by hand. */
const VOLUME_MIB = 8192

/** How long a visitor waits at most while an update migrates, beside the same migration of the same rows by hand. */
export async function hold(): Promise<readonly Row[]> {
  const rows: Row[] = []
  for (const backend of backends()) {
    for (const { name, rows: count } of MIGRATIONS) {
      const { waited, byHand } = await measured(backend, count)
      const what = `${backend}, ${name} migration`
      const beside = { what: 'the migration by hand', value: byHand }
      rows.push(
        { what: `${what}, longest wait`, value: waited, unit: 'ms', beside },
        { what: '… of it not the migration', value: waited - byHand, unit: 'ms' },
      )
    }
  }
  return rows
}

async function measured(backend: Backend, count: number) {
  await using bed = await guestbookBed(backend, VOLUME_MIB)
  await bed.fill(fillReadings(count))
  const waited = await longestSilence(bed.appliance.httpsPort, bed.update())
  const { first, second } = await bed.releases()
  await bed.appliance.run('down')
  await using hand = await createByHand(first, bed.disk)
  await hand.first()
  await hand.again()
  await hand.run(first, fillReadings(count))
  return { waited, byHand: await hand.run(second, ['migrate.mjs']) }
}
