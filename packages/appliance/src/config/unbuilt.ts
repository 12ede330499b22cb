/**
 * Keys that are known but not built in this version, by their path under `caretaker` (`*` is any name).
 * Each leaves this table when its part is built.
 */
const UNBUILT_KEYS = new Map(
  Object.entries({
    mail: 'sending mail',
    backup: 'backup',
    monitoring: 'monitoring',
    first_user: 'the first user',
    extra_files: 'extra files',
    extra_packages: 'extra packages',
    trusted_cas: 'trusted CAs for outgoing connections',
    'identity.deprecated_ssh_keys': 'removing deprecated ssh keys',
    'applications.*.channel': 'release channels',
    'applications.*.pin': 'pinning a release',
  }),
)

/** Values that are known but not built in this version, by the path of their key. */
export const UNBUILT_VALUES: ReadonlyMap<string, readonly string[]> = new Map(
  Object.entries({
    'storage.backend': ['lvm'],
  }),
)

/** What the key at this path would set, when it is known but not built in this version. */
export function unbuiltKey(path: readonly (string | number)[]): string | undefined {
  return (
    UNBUILT_KEYS.get(path.join('.')) ??
    UNBUILT_KEYS.get(path.map((part, index) => (index === 1 ? '*' : part)).join('.'))
  )
}

/** Where settings stand that people look for under `caretaker`. */
export const ELSEWHERE: ReadonlyMap<string, string> = new Map(
  Object.entries({
    ssh_keys: 'ssh keys stand at the top level, as "ssh_authorized_keys" of cloud-init',
    'identity.ssh_keys': 'ssh keys stand at the top level, as "ssh_authorized_keys" of cloud-init',
    ssh_authorized_keys: 'it is a key of cloud-init and stands at the top level',
    'identity.ssh_authorized_keys': 'it is a key of cloud-init and stands at the top level',
  }),
)
