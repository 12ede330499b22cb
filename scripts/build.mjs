// Makes dist/: the bundled program and the programs it brings along. Runs on the pinned Node.
import { cpSync, existsSync, linkSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { build } from 'esbuild'
import { nodeBinary, root } from './bootstrap.mjs'
import { stagePostgres } from './stage-postgres.mjs'

const target = join(root, 'dist')
const app = join(root, 'apps/caretaker')
const fresh = join(target, `caretaker.${process.pid}.tmp`)

await build({
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
  logLevel: 'warning',
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
for (const major of [15, 16, 17, 18]) {
  const folder = join(app, 'node_modules', `postgres-${major}-linux-${process.arch}`)
  if (existsSync(folder)) await stagePostgres(folder, join(programs, `postgres-${major}`))
}
for (const notice of ['LICENSE', 'THIRD-PARTY-NOTICES.md']) {
  if (existsSync(join(root, notice))) cpSync(join(root, notice), join(target, notice))
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
