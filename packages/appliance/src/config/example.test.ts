import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import type { ApplicationConfig, Config } from './config.ts'
import { createConfigText } from './create.ts'
import { planDnsRecords } from './dns.ts'
import { configJsonSchema, type JsonSchema } from './json-schema.ts'
import { parseConfig } from './parse.ts'
import { renderConfigText } from './render.ts'

const ROOT = new URL('../../../../', import.meta.url)
const SCHEMA = new URL('docs/schema/appliance.schema.json', ROOT)
const EXAMPLE = new URL('examples/appliance.yml', ROOT)

/** What the example says beside the descriptions of the schema. */
const ABOUT = [
  'Example config of an appliance with every setting there is. The keys in it are published and so worthless:',
  'never use this file as it is. "caretaker config create DOMAIN" writes a config with keys of its own.',
]

if (process.env.UPDATE_GOLDENS) await update()

test('the published JSON Schema is that of the code (UPDATE_GOLDENS=1 rewrites it)', () => {
  expect(readFileSync(SCHEMA, 'utf8')).toBe(schemaText())
})

describe('examples/appliance.yml', () => {
  const text = existsSync(EXAMPLE) ? readFileSync(EXAMPLE, 'utf8') : ''
  const values = parse(text) as { caretaker: Record<string, unknown> }

  test('parses', () => expect(parseConfig(text, 'appliance.yml').config.identity.domain).toBe('example.org'))

  test('has every key of the schema', () => {
    expect(missingKeys(configJsonSchema(), values, '')).toEqual([])
  })

  test('is explained as the schema explains it (UPDATE_GOLDENS=1 rewrites it)', () => {
    expect(text).toBe(exampleText(values.caretaker))
  })

  test('is valid by the published schema, and a wrong one is not', () => {
    const ajv = new Ajv2020({ strict: false, validateFormats: true })
    addFormats.default(ajv, ['uuid', 'ipv4', 'ipv6'])
    for (const format of ['cidrv4', 'cidrv6']) ajv.addFormat(format, true)
    const validate = ajv.compile(JSON.parse(readFileSync(SCHEMA, 'utf8')) as object)
    expect(validate(values), JSON.stringify(validate.errors)).toBe(true)
    expect(validate({ caretaker: { ...values.caretaker, blockchain: true } })).toBe(false)
    expect(validate({ caretaker: { ...values.caretaker, gateway: { https_port: '443' } } })).toBe(false)
  })
})

function schemaText(): string {
  return `${JSON.stringify(configJsonSchema(), null, 2)}\n`
}

function exampleText(values: Record<string, unknown>): string {
  const { identity, applications, keys } = values as unknown as Config
  const dnsRecords = planDnsRecords({
    domain: identity.domain,
    hostname: identity.hostname,
    adminEmail: identity.admin_email,
    hosts: Object.values(applications).flatMap(({ hosts, aliases }: Partial<ApplicationConfig>) => [
      ...(hosts ?? []),
      ...(aliases ?? []),
    ]),
    dkimKeyPem: String(keys.dkim_key),
    ipv4: '203.0.113.7',
    ipv6: '2001:db8::7',
  })
  return renderConfigText({
    values,
    dnsRecords,
    schema: '../docs/schema/appliance.schema.json',
    about: ABOUT,
  })
}

/** Paths of the schema that have no value; below names of the person's choice, one entry must have them all. */
function missingKeys(schema: JsonSchema, value: unknown, path: string): string[] {
  if (value === undefined) return [path]
  const given = value as Record<string, unknown>
  const own = Object.entries(schema.properties ?? {}).flatMap(([key, inner]) =>
    missingKeys(inner, given[key], `${path}.${key}`),
  )
  const named = schema.additionalProperties
  if (typeof named !== 'object') return own
  const [first] = Object.values(given)
  return missingKeys(named, first, `${path}.*`)
}

/** Writes schema and example anew; the example keeps its values, and is made once when there is none. */
async function update(): Promise<void> {
  writeFileSync(SCHEMA, schemaText())
  const text = existsSync(EXAMPLE) ? readFileSync(EXAMPLE, 'utf8') : await newExample()
  writeFileSync(EXAMPLE, exampleText((parse(text) as { caretaker: Record<string, unknown> }).caretaker))
}

async function newExample(): Promise<string> {
  const { text } = await createConfigText({
    domain: 'example.org',
    timeZone: 'Europe/Vienna',
    gateway: { trusted_proxies: ['10.0.0.0/8', 'fd00::/8'] },
    recovery: ['age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p'],
    applications: {
      guestbook: {
        source: 'https://git.example.org/guestbook.git',
        ref: 'v1.0.0',
        hosts: ['guestbook.example.org', 'example.org'],
        aliases: ['www.example.org'],
        environment: { GREETING: 'hello', ENTRIES_PER_PAGE: '20' },
        secretNames: ['SESSION_KEY'],
      },
      shop: { source: './shop', hosts: ['example.org'], pathPrefix: '/shop' },
    },
    now: new Date(0),
  })
  return text.replace(/# from_dump: (.*)/, 'from_dump: $1')
}
