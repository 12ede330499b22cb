import { stringify } from 'yaml'
import { FIRST_LINE } from './config.ts'
import { type DnsRecord, formatDnsRecord } from './dns.ts'
import { configJsonSchema, type JsonSchema } from './json-schema.ts'

/** What a config text is rendered from: the values under `caretaker:` as they stand in the file, secrets in clear. */
export interface RenderInput {
  readonly values: Readonly<Record<string, unknown>>
  readonly dnsRecords: readonly DnsRecord[]
  /** What the `$schema` comment names: a URL, or a path relative to the file. */
  readonly schema: string
  /** Lines of the comment at the top. */
  readonly about: readonly string[]
}

const WIDTH = 110

/** A whole config as commented YAML: every setting of the schema with its description; what has no value as a comment. */
export function renderConfigText(input: RenderInput): string {
  const caretaker = configJsonSchema().properties?.caretaker as JsonSchema
  return [
    FIRST_LINE,
    `# yaml-language-server: $schema=${input.schema}`,
    '#',
    ...input.about.flatMap((line) => comment(line, '')),
    '',
    ...comment('Keys at the top level belong to cloud-init, for example:', ''),
    '# ssh_authorized_keys:',
    '#   - ssh-ed25519 AAAA... admin',
    '',
    'caretaker:',
    ...renderMapping(caretaker, input.values, '  ', true),
    '',
    ...comment(
      'DNS records, ready to paste into a zone file. Reverse DNS (PTR) is set by whoever gave you the address.',
      '',
    ),
    ...input.dnsRecords.flatMap((record, index) => [
      ...(record.purpose === input.dnsRecords[index - 1]?.purpose ? [] : [`# ; ${record.purpose}`]),
      `# ${formatDnsRecord(record)}`,
    ]),
    '',
  ].join('\n')
}

/** `key: value` as YAML that YAML 1.1 reads the same way, every line with the indent in front. */
export function renderEntry(key: string, value: unknown, indent: string): string[] {
  const text = stringify(
    { [key]: value },
    { compat: 'yaml-1.1', lineWidth: 0, blockQuote: 'literal', defaultStringType: 'PLAIN' },
  )
  return text
    .trimEnd()
    .split('\n')
    .map((line) => (line === '' ? '' : indent + line))
}

function renderMapping(
  schema: JsonSchema,
  values: Readonly<Record<string, unknown>>,
  indent: string,
  explain: boolean,
): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, inner], index) => [
    ...(index > 0 && indent.length === 2 ? [''] : []),
    ...(explain ? comment(inner.description ?? '', indent) : []),
    ...renderValue(key, inner, values[key], indent, explain),
  ])
}

function renderValue(
  key: string,
  schema: JsonSchema,
  given: unknown,
  indent: string,
  explain: boolean,
): string[] {
  const value = given === undefined && (explain || schema.properties) ? schema.default : given
  if (value === undefined) {
    if (!explain) return []
    return renderEntry(key, schema.examples?.[0] ?? '...', '').map((line) => `${indent}# ${line}`)
  }
  if (schema.properties)
    return [
      `${indent}${key}:`,
      ...renderMapping(schema, value as Record<string, unknown>, `${indent}  `, explain),
    ]
  const named = schema.additionalProperties
  if (typeof named !== 'object' || !named.properties) return renderEntry(key, value, indent)
  const entries = Object.entries(value as Record<string, Record<string, unknown>>)
  if (entries.length === 0) return [`${indent}${key}: {}`]
  return [
    `${indent}${key}:`,
    ...entries.flatMap(([name, entry], index) => [
      `${indent}  ${name}:`,
      ...renderMapping(named, entry, `${indent}    `, explain && index === 0),
    ]),
  ]
}

/** Words wrapped into comment lines. */
function comment(text: string, indent: string): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && indent.length + 3 + line.length + word.length > WIDTH) {
      lines.push(line)
      line = ''
    }
    line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line].map((each) => `${indent}# ${each}`.trimEnd())
}
