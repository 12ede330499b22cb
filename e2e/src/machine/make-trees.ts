import { machineTree } from './tree.ts'

/** Run by scripts/install-engines.mjs: what the tests would otherwise make within their own time. */
await Promise.all([machineTree('bookworm'), machineTree('trixie')])
