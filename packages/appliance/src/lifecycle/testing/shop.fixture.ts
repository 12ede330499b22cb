import { databaseAddress } from '../app-database.ts'
import { up } from '../up.ts'
import { type Lab, openLab } from './lab.fixture.ts'
import type { TinyShape } from './tiny-app.fixture.ts'

/** A shop whose releases can migrate. */
export const SHOP: TinyShape = { database: true, migrates: true, smoke: true, worker: true }

/** A lab whose {@link SHOP} runs and has data: two rows in the table `sale`, and the file `letter`. */
export async function openShop(): Promise<Lab> {
  const lab = await openLab({ shop: SHOP })
  const { appliance } = await lab.open()
  const { errors } = await up(appliance, { firstStart: false }, () => undefined, new AbortController().signal)
  if (errors.length > 0) throw new Error(`the shop was not started: ${JSON.stringify(errors)}`)
  await shopSql(lab, 'CREATE TABLE sale (id serial PRIMARY KEY, what text)')
  await shopSql(lab, "INSERT INTO sale (what) VALUES ('one'), ('two')")
  await lab.get('shop', '/letter', 'POST')
  return lab
}

/** Asks the database of the shop, as the shop. */
export async function shopSql(lab: Lab, text: string): Promise<readonly Record<string, unknown>[]> {
  const address = await databaseAddress((await lab.open()).appliance, 'shop')
  return lab.ports.databases.withSession(address, { timeoutMs: 60_000 }, (session) =>
    session.query<Record<string, unknown>>(text),
  )
}
