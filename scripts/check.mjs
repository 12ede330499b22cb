// npm run check: formats, then checks types and lint. Seconds; for while you work.
import { join } from 'node:path'
import { bootstrap, root, run, toolEnvironment } from './bootstrap.mjs'

await bootstrap()
const bin = (name) => join(root, 'node_modules/.bin', name)
const env = toolEnvironment()
for (const [file, ...args] of [
  [bin('biome'), 'check', '--write', '.'],
  [bin('tsc'), '--noEmit', '-p', '.'],
  [bin('oxlint'), '--type-aware', '--deny-warnings', '.'],
]) {
  const { code } = await run(file, args, { env })
  if (code !== 0) process.exit(code)
}
