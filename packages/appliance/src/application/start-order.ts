import type { Dependency } from './application.ts'

interface Ordered {
  readonly name: string
  readonly dependsOn: readonly Dependency[]
}

/** The services with every one behind those it depends on, else in the order given; or the names of a cycle. */
export function startOrder<T extends Ordered>(
  services: readonly T[],
):
  | { readonly ok: true; readonly services: readonly T[] }
  | { readonly ok: false; readonly cycle: readonly string[] } {
  const ordered: T[] = []
  const underWay: string[] = []
  const visit = (service: T): readonly string[] | undefined => {
    if (ordered.includes(service)) return undefined
    const seen = underWay.indexOf(service.name)
    if (seen >= 0) return [...underWay.slice(seen), service.name]
    underWay.push(service.name)
    for (const dependency of service.dependsOn) {
      const other = services.find(({ name }) => name === dependency.service)
      const cycle = other && visit(other)
      if (cycle) return cycle
    }
    underWay.pop()
    ordered.push(service)
    return undefined
  }
  for (const service of services) {
    const cycle = visit(service)
    if (cycle) return { ok: false, cycle }
  }
  return { ok: true, services: ordered }
}
