/**
 * Where a worker kills itself. Record indexes count the lines of the whole journal from 0. `torn`: before the sync,
 * but half of the line is on disk all the same.
 */
export type KillPoint =
  | { readonly at: 'record'; readonly index: number; readonly phase: 'before-sync' | 'torn' | 'after-sync' }
  | { readonly at: 'journal-folder'; readonly phase: 'before-sync' | 'after-sync' }
  | { readonly at: 'apply' | 'undo'; readonly step: string }

/** What a broken build would leave out; the judge must notice each. */
export const SABOTAGES = {
  'skip-create-sync': 'the fsync of a new journal',
  'skip-folder-sync': 'the fsync of the folder of a new journal',
  'skip-append-sync': 'the fsync after each journal record',
  'lose-before': 'the record that a step starts, and with it the state before',
  'forget-before': 'the state before in the record that a step starts',
  'skip-undo': 'one undo',
} as const

export type Sabotage = keyof typeof SABOTAGES

/** What one worker process is told, as JSON in its only argument. */
export interface Orders {
  /** Real folder with the durable image, the locks and the list of sprung traps. */
  readonly folder: string
  readonly plan: string
  readonly mode: 'run' | 'resume'
  readonly kills: readonly KillPoint[]
  readonly sabotage?: Sabotage
}

export const STATE = '/state'
export const JOURNALS = '/state/operations'
export const imageFile = (folder: string) => `${folder}/image.json`
export const sprungFile = (folder: string) => `${folder}/sprung`
