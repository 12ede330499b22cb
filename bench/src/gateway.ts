import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createAppliance, statusOf } from './appliance.ts'
import { load } from './load.ts'
import { root } from './programs.ts'
import type { Row } from './rows.ts'

/** Requests through the gateway (HTTPS) beside the same ones to the application itself (HTTP). */
export async function gateway(): Promise<readonly Row[]> {
  await using appliance = await createAppliance()
  const { httpsPort, state } = appliance
  await appliance.run('app', 'add', 'tiny', join(root, 'bench/tiny-app'), '--host', 'tiny.localhost')
  await appliance.run('app', 'add', 'guestbook', join(root, 'examples/guestbook'), '--host', 'localhost')
  if ((await statusOf(httpsPort, '/entries.json')) !== 200) throw new Error('guestbook does not answer')
  const rows: Row[] = []
  for (const { app, host, path } of [
    { app: 'tiny', host: 'tiny.localhost', path: '/' },
    { app: 'guestbook', host: 'localhost', path: '/entries.json' },
  ]) {
    const record = JSON.parse(await readFile(join(state, 'apps', `${app}.json`), 'utf8')) as AppRecord
    const direct = await load(`http://127.0.0.1:${record.ports.web}${path}`, host)
    const through = await load(`https://127.0.0.1:${httpsPort}${path}`, host)
    const beside = (value: number) => ({ what: 'without the gateway', value })
    rows.push(
      { what: `${app}, rate`, value: through.rate, unit: 'requests/s', beside: beside(direct.rate) },
      { what: `${app}, p50`, value: through.p50, unit: 'ms', beside: beside(direct.p50) },
      { what: `${app}, p99`, value: through.p99, unit: 'ms', beside: beside(direct.p99) },
    )
  }
  return rows
}

export interface AppRecord {
  readonly ports: Readonly<Record<string, number>>
}
