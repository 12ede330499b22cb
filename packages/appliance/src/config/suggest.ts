import { distance } from 'fastest-levenshtein'

/** Longer texts are never typing mistakes of a key, and comparing them takes long. */
const LONGEST = 64

/** The candidate that was probably meant: at most a third of its characters differ. */
export function closest(text: string, candidates: readonly string[]): string | undefined {
  if (text.length > LONGEST) return undefined
  const wanted = simplify(text)
  let best: { candidate: string; distance: number } | undefined
  for (const candidate of candidates) {
    const apart = distance(wanted, simplify(candidate))
    if (apart <= Math.max(1, Math.floor(candidate.length / 3)) && apart < (best?.distance ?? Infinity)) {
      best = { candidate, distance: apart }
    }
  }
  return best?.candidate
}

function simplify(text: string): string {
  return text.toLowerCase().replaceAll(/[-_ ]/g, '')
}
