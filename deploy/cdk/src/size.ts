/** Lambda's limit for the variables of a function, as compact JSON in UTF-8. */
const MAX_BYTES = 4096;
/** How many of the largest settings an error names. */
const SHOWN = 3;

/** What is wrong with the size of these variables, which are resolved: intrinsic functions are objects. */
export function sizeProblems(variables: Record<string, unknown>): string[] {
  const known = Object.entries(variables).map(([name, value]) => [name, visible(value)] as const);
  const bytes = measure(Object.fromEntries(known));
  if (bytes <= MAX_BYTES) {
    return [];
  }
  const isExact = Object.values(variables).every((value) => typeof value === 'string');
  const largest = known
    .map(([name, value]) => ({ name, bytes: measure(value) }))
    .sort((a, b) => b.bytes - a.bytes)
    .slice(0, SHOWN)
    .map(({ name, bytes }) => `${name} (${bytes})`);
  return [
    `the variables of the function have ${isExact ? '' : 'at least '}${bytes} bytes as JSON, and Lambda accepts ${MAX_BYTES}; ` +
      `the largest are ${largest.join(', ')}. Put JSON into a file of a layer, for example ROUTES: '@/opt/routes.json'`,
  ];
}

/** How Lambda counts: quotes and escapes included. */
export function measure(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value));
}

/** The part of a value that is known now. The rest is known at deployment only and counts as nothing here. */
function visible(value: unknown): string {
  if (typeof value === 'string') {
    return value;
  }
  const [separator, parts] = (value as { 'Fn::Join'?: [string, unknown] } | null)?.['Fn::Join'] ?? [];
  return Array.isArray(parts) ? parts.map(visible).join(separator) : '';
}
