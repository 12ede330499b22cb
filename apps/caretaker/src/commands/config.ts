import { resolve } from 'node:path'
import type { ConfigChange } from '@caretaker/appliance/config/compare.ts'
import type { EffectiveSetting } from '@caretaker/appliance/config/show.ts'
import type { Preview } from '@caretaker/steps/preview.ts'
import { surroundingOf } from '../cli/around.ts'
import type { Call, CommandDefinition } from '../cli/definition.ts'
import { renderPreviews } from '../cli/render-report.ts'
import type { Style } from '../cli/style.ts'
import { table } from '../cli/table.ts'

interface Created {
  readonly file: string
  readonly dns_records: readonly string[]
}

export const configCreate: CommandDefinition = {
  name: 'config create',
  summary: 'Create the config of a new appliance, with all its keys.',
  details: 'Prints the DNS records to set. The file holds every key: keep a copy away from the machine.',
  arguments: [{ name: 'domain', description: 'domain of the appliance, as example.org' }],
  options: [
    {
      flags: '--out <file>',
      description:
        'where to write it (default: appliance.yml in /etc/caretaker when installed, else in the state folder)',
    },
    { flags: '--hostname <name>', description: 'full name of the machine (default: appliance.DOMAIN)' },
    {
      flags: '--admin-email <address>',
      description: 'who is told when something is wrong (default: admin@DOMAIN)',
    },
    { flags: '--time-zone <name>', description: 'IANA time zone, as Europe/Vienna (default: UTC)' },
    { flags: '--postgres <major>', description: 'Postgres major: 15, 16, 17 or 18 (default: 17)' },
    { flags: '--bind <address>', description: 'address the gateway listens on' },
    { flags: '--https-port <port>', description: 'port of the gateway for HTTPS' },
    { flags: '--http-port <port>', description: 'port of the gateway for HTTP; "none" for none' },
    { flags: '--ipv4 <address>', description: 'public IPv4 address, for the DNS records' },
    { flags: '--ipv6 <address>', description: 'public IPv6 address, for the DNS records' },
  ],
  examples: [
    ['caretaker config create example.org --ipv4 192.0.2.7', 'write appliance.yml and print the DNS records'],
    ['caretaker config create example.org --out ./appliance.yml', 'write it somewhere else'],
  ],
  output: [
    ['file', 'path', 'the file that was written, mode 0600'],
    ['dns_records', 'list of text', 'records to set, one a line'],
  ],
  runs: 'here',
  async handler(call) {
    const { createConfig, newConfigFile } = await import('@caretaker/appliance/lifecycle/create-config.ts')
    const text = (name: string) =>
      typeof call.options[name] === 'string' ? (call.options[name] as string) : undefined
    const created = await createConfig(surroundingOf(call), {
      domain: call.arguments[0] ?? '',
      file: resolve(
        call.workingFolder,
        text('out') ??
          call.places.configFile ??
          (await newConfigFile(call.ports.files, call.places.stateFolder)),
      ),
      hostname: text('hostname'),
      adminEmail: text('adminEmail'),
      timeZone: text('timeZone'),
      postgres: text('postgres'),
      bind: text('bind'),
      httpsPort: text('httpsPort'),
      httpPort: text('httpPort'),
      ipv4: text('ipv4'),
      ipv6: text('ipv6'),
    })
    return { data: created }
  },
  render: (data: Created, style: Style) =>
    [
      `${data.file} was written (mode 0600). It holds all keys: keep a copy away from this machine.`,
      '',
      style.bold('DNS records to set:'),
      ...data.dns_records.map((record) => `  ${record}`),
      '',
      'Next: caretaker app add NAME SOURCE, then caretaker up',
    ].join('\n'),
}

export const configCheck: CommandDefinition = {
  name: 'config check',
  summary: 'Check a config without applying it.',
  arguments: [
    { name: 'file', description: 'the config to check (default: the one that is there now)', optional: true },
  ],
  examples: [
    ['caretaker config check appliance.yml', 'every problem with its line, key and what to write instead'],
  ],
  output: [
    ['file', 'path', 'the file that was checked'],
    ['valid', 'boolean', 'always true; an invalid config is an error with exit code 2'],
    ['applications', 'list of text', 'the applications it names'],
  ],
  runs: 'here',
  async handler(call) {
    const loaded = await loadNamed(call)
    return { data: { file: loaded.file, valid: true, applications: Object.keys(loaded.config.applications) } }
  },
  render: (data: { file: string; applications: readonly string[] }, style: Style) =>
    `${style.good('valid:')} ${data.file} (${data.applications.length === 0 ? 'no applications' : data.applications.join(', ')})`,
}

export const configShow: CommandDefinition = {
  name: 'config show',
  summary: 'Show every setting in force and where it comes from; secrets are masked.',
  examples: [
    ['caretaker config show', 'all settings'],
    ['caretaker config show --json', 'the same for a program'],
  ],
  output: [
    ['file', 'path', 'the config in force'],
    ['settings', 'list', 'key, value (as JSON text), from (file:line or default)'],
  ],
  runs: 'here',
  async handler(call) {
    const { loadInForce } = await import('@caretaker/appliance/lifecycle/open.ts')
    const { loaded, refused } = await loadInForce(surroundingOf(call), call.places.configFile)
    if (refused) throw refused
    const { effectiveConfig } = await import('@caretaker/appliance/config/show.ts')
    return { data: { file: loaded.file, settings: effectiveConfig(loaded) } }
  },
  render: (data: { settings: readonly EffectiveSetting[] }, style: Style) =>
    table(
      style,
      ['SETTING', 'FROM', 'VALUE'],
      data.settings.map(({ key, from, value }) => [key, from, value]),
    ),
}

export const configDiff: CommandDefinition = {
  name: 'config diff',
  summary: 'Show what another config would change on this appliance, as a plan.',
  arguments: [{ name: 'file', description: 'the config to compare with the one in force' }],
  examples: [
    ['caretaker config diff new.yml', 'changed settings, then the steps "caretaker up new.yml" would take'],
  ],
  output: [
    ['changes', 'list', 'key, change (added, removed, changed), old, new; secrets masked'],
    ['plan', 'list', 'the plans with their steps (id, summary, way_back, state)'],
  ],
  runs: 'here',
  async handler(call) {
    const { diffConfig } = await import('@caretaker/appliance/lifecycle/diff-config.ts')
    const file = resolve(call.workingFolder, call.arguments[0] ?? '')
    return { data: await diffConfig(surroundingOf(call), file, call.places.configFile, call.signal) }
  },
  render: (data: { changes: readonly ConfigChange[]; plan: readonly Preview[] }, style: Style) => {
    const rows = data.changes.map((change) => [
      change.key,
      change.change,
      `${change.old ?? ''} → ${change.new ?? ''}`,
    ])
    const changes =
      rows.length === 0 ? 'No setting is different.' : table(style, ['SETTING', 'CHANGE', 'OLD → NEW'], rows)
    return `${changes}\n\n${renderPreviews(data.plan, style)}`
  },
}

export const configExport: CommandDefinition = {
  name: 'config export',
  summary: 'Write the complete config, with every secret in clear, to a file for safe keeping.',
  details:
    'On this machine the secrets are sealed. The exported file brings everything back on another one: keep it away from\nhere, print it, or put it into a safe.',
  arguments: [{ name: 'file', description: 'where to write it; it must not exist' }],
  examples: [['caretaker config export /media/stick/appliance.yml', 'mode 0600']],
  output: [['file', 'path', 'the file that was written, mode 0600']],
  runs: 'here',
  async handler(call) {
    const { exportConfig } = await import('@caretaker/appliance/lifecycle/export-config.ts')
    const file = resolve(call.workingFolder, call.arguments[0] ?? '')
    await exportConfig(surroundingOf(call), call.places.configFile, file)
    return { data: { file } }
  },
  render: (data: { file: string }) => `${data.file} was written (mode 0600). It holds every secret in clear.`,
}

export const configSchema: CommandDefinition = {
  name: 'config schema',
  summary: 'Print the JSON Schema of the config.',
  details:
    'Put it beside appliance.yml: editors with a YAML language server then complete and check the file.',
  examples: [
    ['caretaker config schema > appliance.schema.json', 'the schema named in the first lines of the config'],
  ],
  output: [['schema', 'object', 'the JSON Schema, draft 2020-12']],
  runs: 'here',
  async handler() {
    const { configJsonSchema } = await import('@caretaker/appliance/config/json-schema.ts')
    return { data: { schema: configJsonSchema() } }
  },
  render: ({ schema }: { schema: unknown }) => JSON.stringify(schema, null, 2),
}

async function loadNamed(call: Call) {
  const { loadConfig, loadConfigFile } = await import('@caretaker/appliance/config/load.ts')
  const file = call.arguments[0]
  if (file !== undefined)
    return loadConfigFile(call.ports, resolve(call.workingFolder, file), call.places.stateFolder)
  return loadConfig(call.ports, {
    fromEnvironment: call.places.configFile,
    stateFolder: call.places.stateFolder,
  })
}
