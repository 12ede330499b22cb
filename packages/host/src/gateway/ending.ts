/** Tells when something has ended, once. Made for every request, so lighter than an AbortSignal. */
export class Ending {
  #isOver = false
  #actions: (() => void)[] = []

  get isOver(): boolean {
    return this.#isOver
  }

  /** Calls `action` at the end; at once when that has come already. */
  whenOver(action: () => void): void {
    if (this.#isOver) action()
    else this.#actions.push(action)
  }

  /** The first call counts. */
  end(): void {
    if (this.#isOver) return
    this.#isOver = true
    for (const action of this.#actions) action()
    this.#actions = []
  }
}
