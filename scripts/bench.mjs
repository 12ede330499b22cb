// npm run bench [-- start|hold|rollback|storage|…] [--write]: sets everything up, then measures on this machine.
import { join } from 'node:path'
import { bootstrap, nodeBinary, root, run, toolEnvironment } from './bootstrap.mjs'

await bootstrap()
const { code } = await run(nodeBinary(), [join(root, 'bench/src/main.ts'), ...process.argv.slice(2)], {
  env: toolEnvironment(),
})
process.exit(code)
