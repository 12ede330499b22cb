import { appliedMigrations, compareMigrations } from './migrations.mjs'

/** `{ok: true}` or `{ok: false, reason}`: whether the database answers and has exactly the schema of this release. */
export async function healthOf(pool, ofRelease) {
  try {
    const { pending, problem } = compareMigrations(ofRelease, await appliedMigrations(pool))
    if (problem) return { ok: false, reason: problem }
    if (pending.length > 0)
      return { ok: false, reason: `${pending.length} migrations are pending, first ${pending[0].name}` }
    return { ok: true }
  } catch (error) {
    return { ok: false, reason: `the database does not answer: ${error.message}` }
  }
}
