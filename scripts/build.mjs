// Makes dist/: the bundled program and the programs it brings along. Runs on the pinned Node.
import {
  chmodSync,
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { builtinModules } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { build } from 'esbuild'
import { nodeBinary, root } from './bootstrap.mjs'
import { writeNotices } from './notices.mjs'
import { stagePostgres } from './stage-postgres.mjs'

const target = join(root, 'dist')
const app = join(root, 'apps/caretaker')
const fresh = join(target, `caretaker.${process.pid}.tmp`)

const { metafile } = await build({
  entryPoints: { main: join(app, 'src/main.ts') },
  outdir: fresh,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  minify: true,
  keepNames: true,
  legalComments: 'none',
  // Packages in the CommonJS format call require for what Node itself brings.
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
  chunkNames: 'chunk-[hash]',
  external: ['pg-native'],
  plugins: [{ name: 'builtins', setup: takeBuiltinsAsTheyAre }],
  logLevel: 'warning',
  metafile: true,
})
rmSync(join(target, 'caretaker'), { recursive: true, force: true })
renameSync(fresh, join(target, 'caretaker'))

const programs = join(target, 'programs')
mkdirSync(join(programs, 'node/bin'), { recursive: true })
mkdirSync(join(programs, 'pnpm'), { recursive: true })
link(nodeBinary(), join(programs, 'node/bin/node'))
link(
  join(root, '.tools/node_modules/@pnpm', `exe.linux-${process.arch}`, 'pnpm'),
  join(programs, 'pnpm/pnpm'),
)
const tools = join(root, '.tools/node_modules')
const shipped = [join(tools, `node-linux-${process.arch}`), join(tools, `@pnpm/exe.linux-${process.arch}`)]
for (const major of [15, 16, 17, 18]) {
  const folder = join(app, 'node_modules', `postgres-${major}-linux-${process.arch}`)
  shipped.push(folder)
  if (existsSync(folder)) await stagePostgres(folder, join(programs, `postgres-${major}`))
}
const brought = Object.fromEntries(
  shipped
    .filter((folder) => existsSync(folder))
    .map((folder) => [
      basename(folder),
      JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).version,
    ]),
)
// Tells an installation whether another build brings the same programs.
writeFileSync(join(programs, 'versions.json'), `${JSON.stringify(brought, null, 2)}\n`)
// For a machine without this clone: dist/bin/caretaker install.
mkdirSync(join(target, 'bin'), { recursive: true })
writeFileSync(
  join(target, 'bin/caretaker'),
  '#!/bin/sh\nhere=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd -P)\nexec "$here/programs/node/bin/node" "$here/caretaker/main.js" "$@"\n',
)
chmodSync(join(target, 'bin/caretaker'), 0o755)
cpSync(join(root, 'LICENSE'), join(target, 'LICENSE'))
writeNotices(
  join(target, 'THIRD-PARTY-NOTICES.md'),
  Object.keys(metafile.inputs).map((file) => join(root, file)),
  shipped.filter((folder) => existsSync(folder)),
)

/**
 * An import of a module of Node's own makes Node read each of its exports; for node:http that loads the whole of
 * fetch: 11 MB and 25 ms in every process. Asked for at run time only what is used is read.
 */
function takeBuiltinsAsTheyAre({ onResolve, onLoad }) {
  onResolve({ filter: /^(node:)?[a-z_]+(\/[a-z]+)?$/ }, ({ path, kind }) => {
    const name = path.replace(/^node:/, '')
    if (!builtinModules.includes(name) || kind === 'require-call') return undefined
    return {
      path: `node:${name}`,
      namespace: kind === 'dynamic-import' ? 'builtin-namespace' : 'builtin',
      sideEffects: false,
    }
  })
  onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path }) => ({
    contents: `module.exports = process.getBuiltinModule('${path}')`,
  }))
  // What is imported at run time needs the names; those behind a getter are the ones that load more.
  onLoad({ filter: /.*/, namespace: 'builtin-namespace' }, ({ path }) => {
    const descriptors = Object.entries(Object.getOwnPropertyDescriptors(process.getBuiltinModule(path)))
    const names = descriptors.filter(([, { value }]) => value !== undefined).map(([name]) => name)
    return {
      contents: `const builtin = process.getBuiltinModule('${path}')\nexport default builtin\nexport const { ${names.join(', ')} } = builtin`,
    }
  })
}

/** A hard link where the file system allows it, else a copy. */
function link(from, to) {
  rmSync(to, { force: true })
  mkdirSync(dirname(to), { recursive: true })
  try {
    linkSync(from, to)
  } catch {
    cpSync(from, to)
  }
}
