// The licence texts of everything that dist/ carries, in one file.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

const LICENCE_FILE = /^(licen[cs]e|copying|notice)(\.(md|txt))?$/i

/**
 * Writes the notices of the packages whose files are among `inputs` (paths of bundled files), and of `programs`
 * (folders of packages that are shipped as they are). A package without a licence text is named with its licence field.
 */
export function writeNotices(target, inputs, programs) {
  const folders = new Set(programs)
  for (const input of inputs) {
    const folder = packageFolder(input)
    if (folder) folders.add(folder)
  }
  const packages = new Map()
  for (const folder of folders) {
    const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
    const file = readdirSync(folder).find((entry) => LICENCE_FILE.test(entry))
    packages.set(
      `${name} ${version}`,
      `Licence: ${license ?? 'see below'}\n\n${file ? readFileSync(join(folder, file), 'utf8').trim() : ''}`,
    )
  }
  const sections = [...packages]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([title, text]) => `## ${title}\n\n${text}\n`)
  const intro = 'Caretaker is licensed under the Apache License 2.0 (LICENSE). It ships with the following.\n'
  writeFileSync(target, [`# Third-party notices\n\n${intro}`, ...sections].join('\n'))
}

/** The folder of the package a bundled file belongs to; undefined for our own. */
function packageFolder(file) {
  if (!file.includes('node_modules/')) return undefined
  for (let folder = dirname(file); folder.includes('node_modules'); folder = dirname(folder)) {
    const manifest = join(folder, 'package.json')
    if (existsSync(manifest) && JSON.parse(readFileSync(manifest, 'utf8')).version) return folder
  }
  return undefined
}
