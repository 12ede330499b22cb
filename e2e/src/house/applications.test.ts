import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { caretakerSchema } from '@caretaker/appliance/application/caretaker-schema.ts'
import { readDeclarations } from '@caretaker/appliance/application/declarations.ts'
import { parseApplication } from '@caretaker/appliance/application/parse.ts'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { withTables } from './applications-page.ts'
import { ROOT } from './sources.ts'

const PAGE = join(ROOT, 'docs/applications.md')
/** How much of a compose file may be about Caretaker. */
const MOST_LINES = 15

const parseFor = (runtime: 'docker' | 'process', name: string, text: string) => {
  const secrets = Object.fromEntries(readDeclarations('compose.yml', text).secrets.map((key) => [key, '']))
  return parseApplication({ name, file: 'compose.yml', text, environment: {}, secrets, runtime })
}

describe('docs/applications.md', () => {
  it('tells what every runtime takes and what is refused, as the tables of the code say', () => {
    const page = readFileSync(PAGE, 'utf8')
    if (process.env['UPDATE_GOLDENS']) writeFileSync(PAGE, withTables(page))
    expect(
      readFileSync(PAGE, 'utf8'),
      'Write it anew and look at the diff: UPDATE_GOLDENS=1 node_modules/.bin/vitest run --project real e2e/src/house/applications',
    ).toBe(withTables(page))
  })

  it('shows a whole file that parses, with every key of x-caretaker', () => {
    const example = /```yaml\n([\s\S]*?)```/.exec(readFileSync(PAGE, 'utf8'))?.[1] ?? ''
    parseFor('docker', 'wiki', example)
    const shown = parse(example)['x-caretaker']
    for (const [key, schema] of Object.entries(caretakerSchema.shape)) {
      expect(Object.keys(shown), 'keys of x-caretaker in the file').toContain(key)
      for (const part of partsOf(schema))
        expect(JSON.stringify(shown), `${key}.${part} in the file`).toContain(`"${part}"`)
    }
  })
})

describe('an example', () => {
  const names = readdirSync(join(ROOT, 'examples'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== 'guestbook-releases')
    .map(({ name }) => name)

  it.each(names)('%s is an ordinary compose file that parses', (name) => {
    const text = readFileSync(join(ROOT, 'examples', name, 'compose.yml'), 'utf8')
    expect(parseFor('docker', name, text).notices).toEqual([])
  })

  it.each(['unleash', 'directus'])(`%s needs at most ${MOST_LINES} lines of x-caretaker`, (name) => {
    const text = readFileSync(join(ROOT, 'examples', name, 'compose.yml'), 'utf8')
    const section = text.slice(text.indexOf('\nx-caretaker:') + 1).trimEnd()
    expect(section.split('\n').length).toBeLessThanOrEqual(MOST_LINES)
  })
})

/** The keys of a part of the section, however it is wrapped; none for texts, lists of names and maps with free keys. */
function partsOf(schema: unknown): readonly string[] {
  const { def } = schema as { def?: Record<string, unknown> }
  if (!def) return []
  if (def['shape']) return Object.keys(def['shape'] as object)
  const inner = [def['innerType'], def['out'], def['element'], def['valueType']].find(
    (each) => each !== undefined,
  )
  return inner === undefined ? [] : partsOf(inner)
}
