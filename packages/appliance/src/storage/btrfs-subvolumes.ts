/** A subvolume below another one. */
export interface Nested {
  readonly id: number
  /** Path relative to the one it was asked for. */
  readonly path: string
}

/**
 * The subvolumes below the subvolume `id`, parents first, from the output of `btrfs subvolume list -p` for a folder
 * above it: within one output the paths begin at the same place, whatever part of the file system is mounted.
 */
export function nestedBelow(listed: string, id: number): readonly Nested[] {
  const all = [...listed.matchAll(/^ID (\d+) gen \d+ parent (\d+) top level \d+ path (.*)$/gm)].map(
    ([, own, parent, path]) => ({ id: Number(own), parent: Number(parent), path: path ?? '' }),
  )
  const top = all.find((entry) => entry.id === id)
  if (!top) return []
  const found: Nested[] = []
  const visit = (parent: number): void => {
    for (const entry of all.filter((each) => each.parent === parent)) {
      found.push({ id: entry.id, path: entry.path.slice(top.path.length + 1) })
      visit(entry.id)
    }
  }
  visit(id)
  return found
}
