import { type DatabaseAddress, DatabaseError, type DatabaseSession, type Databases } from './database.ts'

type Rows = readonly Record<string, unknown>[]
/** Rows, or what Postgres refuses with. */
export type FakeRows = Rows | DatabaseError | ((values: readonly unknown[]) => Rows)

/** Databases of scripted answers. What was asked stands in `statements`; without a script a statement gives no rows. */
export class FakeDatabases implements Databases {
  readonly statements: {
    readonly database: string
    readonly user: string
    readonly text: string
    readonly values: readonly unknown[]
  }[] = []
  /** False: nothing answers at any address. */
  isReachable = true
  readonly #answers: { readonly part: string; readonly answer: FakeRows }[] = []

  /** Scripts the answer to every statement that contains the text; the latest script counts. */
  on(part: string, answer: FakeRows): this {
    this.#answers.unshift({ part, answer })
    return this
  }

  async withSession<T>(
    { database, user }: DatabaseAddress,
    _options: { readonly timeoutMs: number },
    work: (session: DatabaseSession) => Promise<T>,
  ): Promise<T> {
    if (!this.isReachable) throw new DatabaseError('connect ECONNREFUSED', undefined, undefined)
    return work({
      query: async <Row>(text: string, values: readonly unknown[] = []) => {
        this.statements.push({ database, user, text, values })
        const answer = this.#answers.find(({ part }) => text.includes(part))?.answer ?? []
        if (answer instanceof DatabaseError) throw answer
        return (typeof answer === 'function' ? answer(values) : answer) as readonly Row[]
      },
    })
  }
}
