// Scripts in flows need a compiled part that npm does not hold. Directus loads it at its start; no test runs such a script.
module.exports = {}
