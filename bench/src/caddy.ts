import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAppliance, freePort, statusOf } from './appliance.ts'
import type { AppRecord } from './gateway.ts'
import { load } from './load.ts'
import { memoryOf, pidOf } from './memory.ts'
import { hasCaddy, root, startProgram, until } from './programs.ts'
import type { Row } from './rows.ts'

const APPS = [
  { app: 'tiny', host: 'tiny.localhost', path: '/' },
  { app: 'guestbook', host: 'localhost', path: '/entries.json' },
] as const

/**
 * The ways to an application, measured alike: itself (HTTP), and over HTTPS the embedded gateway, a Caddy that hands
 * requests to the application without anything between, and Caddy with the gateway behind it as caretaker runs it.
 */
export async function caddy(): Promise<readonly Row[]> {
  if (!(await hasCaddy())) return []
  await using appliance = await createAppliance()
  const { httpsPort, state } = appliance
  await appliance.run('app', 'add', 'tiny', join(root, 'bench/tiny-app'), '--host', 'tiny.localhost')
  await appliance.run('app', 'add', 'guestbook', join(root, 'examples/guestbook'), '--host', 'localhost')
  const through = (port: number) => (host: string, path: string) =>
    load(`https://127.0.0.1:${port}${path}`, host)
  const appPorts: Record<string, number> = {}
  for (const { app } of APPS) {
    const record = JSON.parse(await readFile(join(state, 'apps', `${app}.json`), 'utf8')) as AppRecord
    appPorts[app] = record.ports['web'] as number
  }
  const bare = new Map<string, Load>()
  for (const { app, host, path } of APPS) {
    bare.set(app, await load(`http://127.0.0.1:${appPorts[app]}${path}`, host))
  }
  const rows: Row[] = []
  const measure = async (name: string, ask: (host: string, path: string) => Promise<Load>) => {
    for (const { app, host, path } of APPS) {
      const found = await ask(host, path)
      const beside = (key: keyof Load) => ({
        what: 'the application itself',
        value: bare.get(app)?.[key] ?? 0,
      })
      rows.push(
        { what: `${name}, ${app}, rate`, value: found.rate, unit: 'requests/s', beside: beside('rate') },
        { what: `${name}, ${app}, p50`, value: found.p50, unit: 'ms', beside: beside('p50') },
        { what: `${name}, ${app}, p99`, value: found.p99, unit: 'ms', beside: beside('p99') },
      )
    }
  }
  const memoryRow = (what: string, mb: number): Row => ({
    what: `${what}, resident (RSS)`,
    value: mb,
    unit: 'MB',
  })
  const rssOf = async (service: string) => (await memoryOf(await pidOf(state, service))).rss

  await measure('embedded', through(httpsPort))
  rows.push(memoryRow('embedded', await rssOf('gateway')))

  {
    const folder = await mkdtemp(join(tmpdir(), 'caretaker-bench-caddy-'))
    const port = await freePort()
    await writeFile(join(folder, 'caddy.json'), JSON.stringify(aloneConfig(folder, state, port, appPorts)))
    const env = { XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder, HOME: folder }
    await using alone = startProgram('caddy', ['run', '--config', join(folder, 'caddy.json')], { env })
    await until(async () => (await statusOf(port, '/entries.json')) === 200 || undefined)
    await measure('Caddy alone', through(port))
    rows.push(memoryRow('Caddy alone', (await memoryOf(alone.pid)).rss))
    await rm(folder, { recursive: true, force: true })
  }

  const configFile = join(state, 'appliance.yml')
  const config = await readFile(configFile, 'utf8')
  await writeFile(configFile, config.replace('engine: embedded', 'engine: caddy'))
  await appliance.run('up')
  if ((await statusOf(httpsPort, '/entries.json')) !== 200) throw new Error('guestbook does not answer')
  await measure('Caddy and gateway', through(httpsPort))
  rows.push(memoryRow('Caddy and gateway, Caddy', await rssOf('caddy')))
  rows.push(memoryRow('Caddy and gateway, gateway', await rssOf('gateway')))
  return rows
}

type Load = Awaited<ReturnType<typeof load>>

function aloneConfig(folder: string, state: string, port: number, apps: Readonly<Record<string, number>>) {
  const certificates = join(state, 'certificates')
  return {
    admin: { disabled: true, config: { persist: false } },
    logging: { logs: { default: { writer: { output: 'discard' } } } },
    storage: { module: 'file_system', root: folder },
    apps: {
      http: {
        servers: {
          alone: {
            listen: [`127.0.0.1:${port}`],
            protocols: ['h1'],
            automatic_https: { disable: true },
            tls_connection_policies: [{ default_sni: 'localhost' }],
            routes: APPS.map(({ app, host }) => ({
              match: [{ host: [host] }],
              handle: [{ handler: 'reverse_proxy', upstreams: [{ dial: `127.0.0.1:${apps[app]}` }] }],
            })),
          },
        },
      },
      tls: {
        certificates: {
          load_files: APPS.map(({ app }) => ({
            certificate: join(certificates, `app-${app}.crt`),
            key: join(certificates, `app-${app}.key`),
          })),
        },
      },
    },
  }
}
