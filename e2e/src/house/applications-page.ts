import type { RuntimeName } from '@caretaker/appliance/application/check-runtime.ts'
import { type ComposeObject, refusalOf, refusedKeys } from '@caretaker/appliance/application/compose-keys.ts'
import { HONOURED_SERVICE_KEYS } from '@caretaker/appliance/application/compose-schema.ts'
import { parseApplication } from '@caretaker/appliance/application/parse.ts'
import { isAppError } from '@caretaker/kernel/errors.ts'

/** The forms in which a key of a service can stand, each with a value for the file that is tried. */
const FORMS: Readonly<Record<string, readonly (readonly [form: string, value: unknown])[]>> = {
  image: [['a name', 'example/wiki:1']],
  build: [
    ['`context`, `dockerfile`', { context: '.' }],
    ['`args`', { context: '.', args: { A: '1' } }],
  ],
  command: [
    ['an array', ['node', 'a.js']],
    ['a text for a shell', 'node a.js'],
  ],
  entrypoint: [
    ['an array', ['node']],
    ['a text for a shell', 'node a.js'],
  ],
  environment: [['a map or a list', { A: '1' }]],
  depends_on: [['a list, or a map with `condition`', ['other']]],
  healthcheck: [
    ['`CMD` and the times', { test: ['CMD', 'node', 'h.js'] }],
    ['a text or `CMD-SHELL`', { test: 'node h.js' }],
  ],
  volumes: [
    ['named volumes', ['files:/files']],
    ['read-only', ['files:/files:ro']],
  ],
  secrets: [
    ['a name', ['key']],
    ['`target`', [{ source: 'key', target: '/etc/key' }]],
  ],
  expose: [
    ['one port', [3000]],
    ['more', [3000, 3001]],
  ],
  working_dir: [
    ['a path in the source', 'src'],
    ['an absolute path', '/srv'],
  ],
  stop_grace_period: [['a time', '10s']],
  stop_signal: [['a signal', 'SIGINT']],
  restart: [['`no`, `always`, `on-failure`, `unless-stopped`', 'always']],
  user: [['a user', 'node']],
  init: [['true', true]],
  mem_limit: [['a size', '512m']],
  mem_reservation: [['a size', '512m']],
  memswap_limit: [['a size', '512m']],
  shm_size: [['a size', '64m']],
  cpus: [['a number', 1.5]],
  cpu_shares: [['a number', 512]],
  pids_limit: [['a number', 200]],
  ulimits: [['a map', { nofile: 1024 }]],
  cap_add: [['what reaches nothing outside', ['NET_BIND_SERVICE']]],
  cap_drop: [['any', ['ALL']]],
  group_add: [['groups', ['audio']]],
  read_only: [['true', true]],
  tmpfs: [['paths', ['/tmp']]],
}

/** Which forms of each key every runtime takes: tried, not told. */
export function honouredTable(): string {
  const rows = HONOURED_SERVICE_KEYS.map((key) => {
    const forms = FORMS[key]
    if (!forms) throw new Error(`Add the forms of "${key}" to FORMS in this file`)
    return `| \`${key}\` | ${runtimeCell('docker', key, forms)} | ${runtimeCell('process', key, forms)} |`
  })
  return ['| key of a service | docker | process |', '| --- | --- | --- |', ...rows].join('\n')
}

function runtimeCell(
  runtime: RuntimeName,
  key: string,
  forms: readonly (readonly [string, unknown])[],
): string {
  const taken = forms.filter(([, value]) => takes(runtime, key, value)).map(([form]) => form)
  return taken.length === 0 ? 'no' : taken.join('; ')
}

function takes(runtime: RuntimeName, key: string, value: unknown): boolean {
  const base = key === 'image' ? {} : { build: '.', command: ['node', 'a.js'] }
  const text = JSON.stringify({
    services: { web: { ...base, [key]: value }, other: { build: '.', command: ['node', 'o.js'] } },
    volumes: { files: {} },
    secrets: { key: { external: true } },
    'x-caretaker': { version: '1', web: { service: 'web', port: 3000, health: '/' }, data: ['files'] },
  })
  try {
    parseApplication({ name: 'a', file: 'c.yml', text, environment: {}, secrets: { key: '' }, runtime })
    return true
  } catch (error) {
    if (!isAppError(error) || error.code !== 'COMPOSE_KEY_REFUSED') throw error
    return false
  }
}

const OBJECTS: Readonly<Record<ComposeObject, string>> = {
  top: 'the file',
  service: 'a service',
  build: '`build`',
  healthcheck: '`healthcheck`',
  dependency: '`depends_on`',
  mount: '`volumes` of a service',
  volume: 'a volume',
  secretMount: '`secrets` of a service',
  secret: 'a secret',
}

/** Every refused key, those of one reason together. */
export function refusedTable(): string {
  const rows = new Map<string, string[]>()
  for (const [object, name] of Object.entries(OBJECTS) as [ComposeObject, string][])
    for (const key of refusedKeys(object)) {
      const { why, next } = refusalOf(object, key) as { readonly why: string; readonly next: string }
      const row = `| ${name} | KEYS | ${why} | ${next} |`.replaceAll('<', '\\<')
      rows.set(row, [...(rows.get(row) ?? []), `\`${key}\``])
    }
  return [
    '| in | keys | why | what to do instead |',
    '| --- | --- | --- | --- |',
    ...[...rows].map(([row, keys]) => row.replace('KEYS', () => keys.join(', '))),
  ].join('\n')
}

/** The page with what is generated put between its marks. */
export function withTables(page: string): string {
  const tables: Readonly<Record<string, string>> = { honoured: honouredTable(), refused: refusedTable() }
  return page.replaceAll(
    /(<!-- generated: (\w+) -->\n)[\s\S]*?(<!-- end -->)/g,
    (_, begin: string, name: string, end: string) => `${begin}${tables[name]}\n${end}`,
  )
}
