/** A lock that the operating system releases when its holder dies, however it dies. */
export interface HeldLock {
  release(): Promise<void>
}

export interface Locks {
  /** Takes the lock at `path` (a file that is created), or gives undefined at once when another process or caller holds it. */
  tryAcquire(path: string): Promise<HeldLock | undefined>
}
