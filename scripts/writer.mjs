// npm run writer [-- --kills 100] [--seed N] [--storage btrfs] [--runtime docker] [--gateway caddy]: sets everything up, then kills what runs while a client writes, and judges.
import { join } from 'node:path'
import { bootstrap, nodeBinary, root, run, toolEnvironment } from './bootstrap.mjs'
import { engineEnvironment } from './install-engines.mjs'

await bootstrap()
const { code } = await run(nodeBinary(), [join(root, 'e2e/src/writer/run.ts'), ...process.argv.slice(2)], {
  env: toolEnvironment(engineEnvironment()),
})
process.exit(code)
