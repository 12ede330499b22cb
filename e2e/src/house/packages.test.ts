import { describe, expect, it } from 'vitest'
import { filesIn } from './sources.ts'

interface Manifest {
  readonly path: string
  readonly name: string
  readonly version: string
  readonly [key: string]: unknown
}

const manifests: readonly Manifest[] = filesIn(['.'], (path) =>
  /^((packages|apps)\/[^/]+\/|e2e\/|bench\/|)package\.json$/.test(path),
).map((file) => ({ path: file.path, ...JSON.parse(file.text) }))
const root = manifests.find((manifest) => manifest.path === 'package.json') as Manifest
const ours = manifests.filter((manifest) => manifest !== root)

const KINDS = ['dependencies', 'devDependencies', 'optionalDependencies'] as const

const dependenciesOf = (manifest: Manifest): readonly (readonly [string, string])[] =>
  KINDS.flatMap((kind) => Object.entries((manifest[kind] ?? {}) as Record<string, string>))

/** One exact version, `workspace:*` for ours, or `npm:NAME@VERSION` for a package under another name. */
const EXACT = /^(workspace:\*|(npm:(@[\w.-]+\/)?[\w.-]+@)?\d+\.\d+\.\d+(-[\w.]+)?)$/

describe('every package.json', () => {
  it('is private, a module, under the licence and version of the whole', () => {
    expect(ours.length).toBeGreaterThan(5)
    for (const { path, name, ...rest } of ours) {
      expect(rest, `${path}: copy these fields from the others`).toMatchObject({
        private: true,
        type: 'module',
        license: root['license'],
        version: root.version,
      })
      expect(name, path).toMatch(/^@caretaker\/[a-z0-9-]+$/)
    }
  })

  it('names exact versions: two installs of one commit are the same', () => {
    const loose = manifests.flatMap((manifest) =>
      dependenciesOf(manifest)
        .filter(([, version]) => !EXACT.test(version))
        .map(([name, version]) => `${manifest.path}: ${name} "${version}" is not one exact version`),
    )
    expect(loose).toEqual([])
  })

  it('agrees with the others on the version of what they share', () => {
    const seen = new Map<string, string>()
    const differing = manifests.flatMap((manifest) =>
      dependenciesOf(manifest).flatMap(([name, version]) => {
        const first = seen.get(name) ?? version
        seen.set(name, first)
        return first === version ? [] : [`${manifest.path}: ${name} ${version}, elsewhere ${first}`]
      }),
    )
    expect(differing).toEqual([])
  })
})
