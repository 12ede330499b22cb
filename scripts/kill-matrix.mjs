// npm run kill-matrix [-- --seed N] [--sample N | --all] [--random N] [--only WORDS] [--minutes N] [--results FILE]
// [--runtime docker] [--storage btrfs]: sets everything up, then kills updates at their steps while a client writes, and
// judges. --all writes docs/kill-matrix.md.
import { join } from 'node:path'
import { bootstrap, nodeBinary, root, run, toolEnvironment } from './bootstrap.mjs'
import { engineEnvironment } from './install-engines.mjs'

await bootstrap()
const { code } = await run(nodeBinary(), [join(root, 'e2e/src/matrix/run.ts'), ...process.argv.slice(2)], {
  env: toolEnvironment(engineEnvironment()),
})
process.exit(code)
