import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/**
 * The lowest memory limit of our control group and those above it, in bytes; undefined when there is none.
 * Control groups v2 (`memory.max`) and v1 (`memory.limit_in_bytes`), at their usual mount points; `root` is for tests.
 */
export function memoryLimitBytes(root = '/'): number | undefined {
  const limits = controlGroups(readIfThere(join(root, 'proc/self/cgroup')) ?? '').flatMap(
    ({ mount, path, file }) => upwards(path).map((group) => readIfThere(join(root, mount, group, file))),
  )
  const bytes = limits.map(Number).filter((limit) => Number.isFinite(limit) && limit > 0)
  return bytes.length === 0 ? undefined : Math.min(...bytes)
}

interface ControlGroup {
  readonly mount: string
  readonly path: string
  readonly file: string
}

/** Lines are "hierarchy:controllers:path"; v2 has hierarchy 0 and no controllers, see cgroups(7). */
function controlGroups(text: string): readonly ControlGroup[] {
  return text.split('\n').flatMap((line) => {
    const [hierarchy, controllers, ...rest] = line.split(':')
    const path = rest.join(':')
    if (hierarchy === '0' && controllers === '') return [{ mount: 'sys/fs/cgroup', path, file: 'memory.max' }]
    if (!controllers?.split(',').includes('memory')) return []
    return [{ mount: 'sys/fs/cgroup/memory', path, file: 'memory.limit_in_bytes' }]
  })
}

/** "/a/b" as ["/a/b", "/a", "/"]. */
function upwards(path: string): readonly string[] {
  return path === '/' ? ['/'] : [path, ...upwards(dirname(path))]
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
