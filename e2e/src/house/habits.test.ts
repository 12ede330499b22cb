import { describe, expect, it } from 'vitest'
import { codeOnly, filesIn, isTest, placesOf, productSources } from './sources.ts'

/** Longer files have a seam where they want to be split: a facet, a phase, a table. */
const MOST_LINES = 400

/** Only an entry file reads the environment, ends the process and prints: all else is given what it needs. */
const ENTRY_FILE = /^apps\/[^/]+\/src\/main[^/]*\.ts$/

describe('the sources', () => {
  it('leave environment, exit and console to the entry files', () => {
    const found = productSources()
      .filter((file) => !isTest(file.path) && !ENTRY_FILE.test(file.path))
      .flatMap((file) =>
        placesOf(file, codeOnly(file.text), /\bprocess\.(env|exit|exitCode|argv)\b|\bconsole\.\w+/g),
      )
    expect(found, 'Take it as an argument, or return data and let apps/*/src/main*.ts print it').toEqual([])
  })

  it(`have at most ${MOST_LINES} lines`, () => {
    const found = productSources()
      .map((file) => ({ path: file.path, lines: file.text.split('\n').length - 1 }))
      .filter((file) => file.lines > MOST_LINES)
      .map(
        (file) => `${file.path} has ${file.lines} lines: find the seam and split it (house: one idea a file)`,
      )
    expect(found).toEqual([])
  })

  it('have no default exports and no barrels', () => {
    const found = productSources().flatMap((file) =>
      placesOf(file, codeOnly(file.text), /^export (default\b|\* from).*$/gm),
    )
    expect(found, 'Export by name, and import from the file that has it').toEqual([])
  })

  it('have no work left to do', () => {
    const found = productSources().flatMap((file) => placesOf(file, file.text, /\b(TODO|FIXME|XXX)\b.*/g))
    expect(found, 'Do it, leave it out, or write an issue').toEqual([])
  })
})

describe('all files', () => {
  /** Put together here, so that this file does not hold what it forbids. */
  const MACHINE_PATHS = ['main', 'shared'].map((name) => `/${'work'}/${name}`)
  const REGISTRY = new RegExp(
    `\\b(${'registry'}\\.[a-z0-9-]+\\.[a-z]{2,}|${'npm' + 'js'}\\.(org|com)|${'npm' + 'mirror'}\\.com)\\b`,
    'g',
  )
  const texts = filesIn(['.'], (path) => !/\.(png|ico|jpg|pdf|zip|gz|woff2)$/.test(path))

  it('name no path of the machine they were written on', () => {
    const found = texts.flatMap((file) =>
      MACHINE_PATHS.flatMap((path) => (file.text.includes(path) ? [`${file.path} names ${path}`] : [])),
    )
    expect(found, 'Use a path from the root, os.tmpdir(), or an argument').toEqual([])
  })

  it('name no package registry: which one is used is the matter of whoever installs', () => {
    const found = texts.flatMap((file) => placesOf(file, file.text, REGISTRY))
    expect(found, 'Leave the address out; npm and pnpm take it from the user').toEqual([])
  })
})
