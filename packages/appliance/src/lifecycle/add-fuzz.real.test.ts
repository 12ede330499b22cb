import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { toAppError } from '@caretaker/kernel/errors.ts'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { previewAddApp } from './apps.ts'
import { openLab } from './testing/lab.fixture.ts'

const never = new AbortController().signal

it('answers any compose file and any name with a plan or an error with what, why and next, and changes nothing', async () => {
  await using lab = await openLab({ shop: { database: true, worker: true, migrates: true } })
  const opened = await lab.open()
  const source = lab.apps.shop?.folder ?? ''
  const compose = join(source, 'compose.yml')
  const lines = (await readFile(compose, 'utf8')).split('\n')
  const before = await lab.ports.files.list(lab.stateFolder)
  const junk = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.jsonValue({ maxDepth: 2 }).map((value) => JSON.stringify(value)),
    fc.constantFrom(
      '  web: *web',
      '  __proto__: {}',
      '\t',
      '? [a]: b',
      '<<: 1',
      '    build: ../..',
      '%YAML 9.9',
    ),
  )
  const changes = fc.array(fc.tuple(fc.nat(lines.length - 1), fc.boolean(), junk), { maxLength: 3 })
  const names = fc.oneof(
    { weight: 4, arbitrary: fc.constant('second') },
    fc.string(),
    fc.constantFrom('../x', 'shop', '-', 'a/b'),
  )
  const seen = { plans: 0, errors: 0 }
  await fc.assert(
    fc.asyncProperty(changes, names, async (changed, name) => {
      const text = changed.reduce(
        (all, [at, replaces, line]) => all.toSpliced(at, replaces ? 1 : 0, line),
        lines,
      )
      await writeFile(compose, text.join('\n'))
      const wanted = {
        name,
        source,
        ref: undefined,
        hosts: undefined,
        environment: {},
        workingFolder: lab.folder,
      }
      try {
        const [preview] = await previewAddApp(opened, wanted, never)
        expect(preview?.steps.length).toBeGreaterThan(0)
        seen.plans += 1
      } catch (error) {
        const { code, exitCode, what, why, next } = toAppError(error)
        seen.errors += 1
        expect(code, why).not.toBe('INTERNAL')
        expect(exitCode).toBe(2)
        for (const part of [what, why, next]) expect(part.trim()).not.toBe('')
        expect(`${what}${why}${next}`).not.toMatch(/\n\s+at |\[object/)
      }
    }),
    { numRuns: 150 },
  )
  expect(seen.plans).toBeGreaterThan(5)
  expect(seen.errors).toBeGreaterThan(20)
  expect(await lab.ports.files.list(lab.stateFolder)).toEqual(before)
})
