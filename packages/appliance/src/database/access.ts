import type { Cluster } from './cluster.ts'

/**
 * Who a server in a container lets in (pg_hba.conf): from the network of its application the application's role into its
 * own database and nothing else; over the unix socket everybody who knows a password, as without a container.
 */
export function accessRules({ app, role = app }: Pick<Cluster, 'app' | 'role'>): string {
  return `local all all scram-sha-256\nhost "${role}" "${role}" samenet scram-sha-256\n`
}

/** The user database of the container: initdb and the server want a name for the user they run as. */
export function userDatabase({ uid, gid }: { readonly uid: number; readonly gid: number }): string {
  return `root:x:0:0::/:/bin/sh\npostgres:x:${uid}:${gid}::/:/bin/sh\n`
}
