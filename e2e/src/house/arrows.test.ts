import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ARROWS, MACHINE_MODULES, TESTS_MAY_ALSO } from './arrows.ts'
import { filesIn, importsOf, isTest, productSources, ROOT, type SourceFile, unitOf } from './sources.ts'

const everything = [...productSources(), ...filesIn(['e2e', 'bench'], (path) => path.endsWith('.ts'))]
const nameOf = (unit: string): string =>
  JSON.parse(readFileSync(join(ROOT, unit, 'package.json'), 'utf8')).name as string
const unitsByName = new Map(Object.keys(ARROWS).map((unit) => [nameOf(unit), unit]))

/** The unit that an import names, undefined when it is another package's or its own file. */
function unitImported(specifier: string): string | undefined {
  return unitsByName.get(specifier.split('/').slice(0, 2).join('/')) ?? unitsByName.get(specifier)
}

function wrongArrows(file: SourceFile): readonly string[] {
  const unit = unitOf(file.path)
  const arrow = ARROWS[unit]
  if (!arrow)
    return [
      `${file.path}: the unit ${unit} is not in e2e/src/house/arrows.ts: say what it may import and why`,
    ]
  const may = [unit, ...arrow.may, ...(isTest(file.path) ? TESTS_MAY_ALSO : [])]
  return importsOf(file).flatMap((specifier) => {
    const imported = unitImported(specifier)
    if (imported && !may.includes(imported)) {
      return [
        `${file.path} imports ${specifier}: ${unit} may import ${arrow.may.join(', ') || 'nothing of ours'}, because ${arrow.because}`,
      ]
    }
    if (
      specifier.startsWith('.') &&
      unitOf(join(file.path, '..', specifier)) !== unit &&
      !specifier.endsWith('.mjs')
    ) {
      return [
        `${file.path} imports ${specifier}: another unit is imported by its name (@caretaker/…), so that the arrow shows`,
      ]
    }
    return []
  })
}

function machineImports(file: SourceFile): readonly string[] {
  if (unitOf(file.path) === 'packages/host' || isTest(file.path)) return []
  return importsOf(file, 'values')
    .filter((specifier) => (MACHINE_MODULES as readonly string[]).includes(specifier.replace(/^node:/, '')))
    .map(
      (specifier) =>
        `${file.path} imports ${specifier}: only packages/host touches the machine. Take a port (Pick<Ports, …>) as an argument; if none fits, add one to packages/ports with a fake and a conformance suite`,
    )
}

describe('imports', () => {
  it('are found in every form (else the rules below see nothing)', () => {
    const text = `import a from 'a'\nimport {\n  b,\n} from "b"\nimport type { c } from 'c'\nexport { d } from 'd'\nimport 'e'\nconst f = await import('f')\nimport {\n  type t,\n} from 't'\n// import g from 'g'\n/* import h from 'h' */`
    expect(importsOf({ path: 'x', text }).toSorted()).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 't'])
    expect(importsOf({ path: 'x', text }, 'values').toSorted()).toEqual(['a', 'b', 'd', 'e', 'f', 't'])
    expect(everything.length).toBeGreaterThan(50)
  })

  it('between packages point down only', () => {
    expect(everything.flatMap(wrongArrows)).toEqual([])
  })

  it('of what touches the machine are in host only', () => {
    expect(productSources().flatMap(machineImports)).toEqual([])
  })

  it('name packages that the importing package.json declares', () => {
    const missing = everything.flatMap((file) => {
      const declared = declaredBy(unitOf(file.path), file)
      return importsOf(file)
        .filter((specifier) => !/^(\.|node:|vitest\/)/.test(specifier))
        .map(packageOf)
        .filter((name) => !declared.has(name))
        .map(
          (name) =>
            `${file.path} imports ${name}: add it to ${unitOf(file.path)}/package.json, exact version`,
        )
    })
    expect([...new Set(missing)]).toEqual([])
  })
})

const packageOf = (specifier: string): string =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')

/** Tests may also use the tools of the root and the packages that tests may import. */
function declaredBy(unit: string, file: SourceFile): ReadonlySet<string> {
  const own = JSON.parse(readFileSync(join(ROOT, unit, 'package.json'), 'utf8'))
  const names = [own.name, ...Object.keys(own.dependencies ?? {})]
  if (!isTest(file.path) && !['e2e', 'bench'].includes(unit)) return new Set(names)
  const root = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  return new Set([...names, ...Object.keys(own.devDependencies ?? {}), ...Object.keys(root.devDependencies)])
}
