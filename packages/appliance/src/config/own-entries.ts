/** What caretaker keeps in the state folder, or makes there: no volume may lie in its place. */
const OWN_ENTRIES: ReadonlySet<string> = new Set([
  'appliance.schema.json',
  'appliance.yml',
  'apps',
  'audit.jsonl',
  'ballast',
  'build',
  'buildx',
  'cache',
  'certificates',
  'certificates.json',
  'clones',
  'containers',
  'daemon.lock',
  'facts.json',
  'gateway',
  'history',
  'identity.txt',
  'jobs',
  'kept',
  'last-good-config.json',
  'logs',
  'mail',
  'operation.holder.json',
  'operation.lock',
  'operations',
  'postgres-images.json',
  'processes',
  'programs',
  'rehearsals',
  'releases',
  'run',
  'seal.age',
  'secrets.json',
  'seen-releases.json',
])

/** The part of the state folder that a relative path would lie on, in words; undefined when it lies beside all of them. */
export function ownEntryAt(path: string): string | undefined {
  if (path.startsWith('/')) return undefined
  const first = path.split('/').find((part) => part !== '' && part !== '.')
  if (first === undefined) return 'the state folder itself'
  return OWN_ENTRIES.has(first) ? `"${first}" of the state folder` : undefined
}
