import { readFileSync } from 'node:fs'

/**
 * What the application is told by its environment. Each value is read when it is asked for, so that a command needs
 * only what it uses; a missing one is named.
 */
export function settingsFrom(environment) {
  const needed = (name) => {
    const value = environment[name]
    if (!value)
      throw new Error(`The environment variable ${name} is not set; README.md lists what guestbook needs`)
    return value
  }
  return {
    get databaseUrl() {
      return needed('DATABASE_URL')
    },
    get filesFolder() {
      return needed('DATA_DIR_FILES')
    },
    get cardsFolder() {
      return needed('VOLATILE_DIR_THUMBS')
    },
    /** At least 16 characters; signs the cookie that lets a visitor delete their own entries. */
    get sessionKey() {
      const key = readFileSync(needed('SESSION_KEY_FILE'), 'utf8').trim()
      if (key.length < 16) throw new Error('The secret session_key is shorter than 16 characters')
      return key
    },
    port: Number(environment.PORT ?? 3000),
    /** Loopback unless told otherwise; the image sets 0.0.0.0 because a container has its own network. */
    host: environment.HOST ?? '127.0.0.1',
    publicUrl: environment.PUBLIC_URL ?? `http://localhost:${environment.PORT ?? 3000}`,
    /** Where a command of the same release reaches the running `web` service. */
    webUrl: environment.WEB_URL ?? `http://127.0.0.1:${environment.PORT ?? 3000}`,
    title: environment.GUESTBOOK_TITLE || 'Guestbook',
  }
}
