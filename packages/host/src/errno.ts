/** Whether a thrown thing is an error of the operating system with one of these codes. */
export function isErrno(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && codes.includes((error as NodeJS.ErrnoException).code ?? '')
}

/** The value of `work`, or `otherwise` when it fails with one of these codes of the operating system. */
export async function unlessErrno<T, U>(
  work: Promise<T>,
  codes: readonly string[],
  otherwise: U,
): Promise<T | U> {
  try {
    return await work
  } catch (error) {
    if (isErrno(error, ...codes)) return otherwise
    throw error
  }
}
