export function stagePostgres(packageFolder: string, target: string): Promise<void>
